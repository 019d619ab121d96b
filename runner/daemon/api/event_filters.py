"""events --filter: which events a stream shows."""

from collections.abc import Callable

from runner.schema import filters
from runner.schema.filters import Filter, Filters, Predicate
from runner.services.events import Event


def _of_type(kind: str) -> Callable[[Event, str], bool]:
    def keeps(event: Event, value: str) -> bool:
        named = value in (event.id, event.attributes.get("name"))
        return event.type == kind and bool(value) and (named or event.id.startswith(value))

    return keeps


def _image(event: Event, value: str) -> bool:
    return _of_type("image")(event, value) or event.attributes.get("image") == value


FILTERS: dict[str, Filter[Event]] = {
    "container": filters.any_of(_of_type("container")),
    # exec_create: sh -c … is the action exec_create, as docker words it.
    "event": filters.any_of(lambda event, value: event.action.partition(":")[0] == value),
    "image": filters.any_of(_image),
    # A thing's labels are among its event's attributes.
    "label": filters.any_of(lambda event, value: filters.has_label(event.attributes, value)),
    "type": filters.any_of(lambda event, value: event.type == value),
    "volume": filters.any_of(_of_type("volume")),
}


def selector(requested: Filters) -> Predicate[Event]:
    """Which events a stream shows; BadRequest for an unknown filter.

    Every filter must let the event through; any one of its values will do.
    """
    return filters.selector(FILTERS, requested)
