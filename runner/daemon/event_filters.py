"""events --filter: which events a stream shows."""

from collections.abc import Callable

from runner.errors import BadRequest
from runner.services.events import Event


def _of(kind: str) -> Callable[[Event, str], bool]:
    def keeps(event: Event, value: str) -> bool:
        named = value in (event.id, event.attributes.get("name"))
        return event.type == kind and bool(value) and (named or event.id.startswith(value))

    return keeps


def _label(event: Event, value: str) -> bool:
    key, equals, wanted = value.partition("=")
    found = event.attributes.get(key)
    return found is not None and (not equals or found == wanted)


def _image(event: Event, value: str) -> bool:
    return _of("image")(event, value) or event.attributes.get("image") == value


FILTERS: dict[str, Callable[[Event, str], bool]] = {
    "container": _of("container"),
    # exec_create: sh -c … is the action exec_create, as docker words it.
    "event": lambda event, value: event.action.partition(":")[0] == value,
    "image": _image,
    "label": _label,
    "type": lambda event, value: event.type == value,
    "volume": _of("volume"),
}


def check_filters(filters: dict[str, list[str]]) -> None:
    for key in filters:
        if key not in FILTERS:
            raise BadRequest(f"invalid filter '{key}': expected one of {', '.join(FILTERS)}")


def selects(filters: dict[str, list[str]], event: Event) -> bool:
    """Whether every filter that was given lets the event through; any one of its values will do."""
    return all(
        any(FILTERS[key](event, value) for value in values) for key, values in filters.items()
    )
