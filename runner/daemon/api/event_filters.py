"""Filters of the event stream.

https://docs.docker.com/engine/api/v1.44/#tag/System/operation/SystemEvents
"""

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
    # Of "exec_create: sh -c …" docker's action is exec_create.
    "event": filters.any_of(lambda event, value: event.action.partition(":")[0] == value),
    "image": filters.any_of(_image),
    # The attributes include the object's labels.
    "label": filters.any_of(lambda event, value: filters.has_label(event.attributes, value)),
    "type": filters.any_of(lambda event, value: event.type == value),
    "volume": filters.any_of(_of_type("volume")),
}


def selector(requested: Filters) -> Predicate[Event]:
    """A predicate on events; BadRequest for an unknown filter.

    Every filter must match, with any one of its values.
    """
    return filters.selector(FILTERS, requested)
