"""ps --filter: which containers a list shows."""

from collections.abc import Callable, Iterable, Sequence

from runner.errors import BadRequest
from runner.services.containers import Container

Keeps = Callable[[Container, str], bool]


def _name(container: Container, value: str) -> bool:
    # Docker matches the name with its slash, so that ^/web$ and web both find /web.
    pattern = value.removeprefix("^").removeprefix("/").removesuffix("$")
    starts, ends = value.startswith("^"), value.endswith("$")
    if starts and ends:
        return container.name == pattern
    if starts:
        return container.name.startswith(pattern)
    return container.name.endswith(pattern) if ends else pattern in container.name


def _label(container: Container, value: str) -> bool:
    key, equals, wanted = value.partition("=")
    found = container.labels.get(key)
    return found is not None and (not equals or found == wanted)


def _exited(container: Container, value: str) -> bool:
    return container.state == "exited" and str(container.exit_code) == value


def _ancestor(container: Container, value: str) -> bool:
    image = container.options.image
    named = image == value or image.removesuffix(":latest") == value.removesuffix(":latest")
    return named or container.image_id.encoded.startswith(value.removeprefix("sha256:"))


def _volume(container: Container, value: str) -> bool:
    return any(value in (mount.volume, mount.target) for mount in container.mounts if value)


FILTERS: dict[str, Keeps] = {
    "ancestor": _ancestor,
    "exited": _exited,
    "id": lambda container, value: container.id.startswith(value),
    "label": _label,
    "name": _name,
    "network": lambda container, value: container.network_mode == value,
    "status": lambda container, value: container.state == value,
    "volume": _volume,
}

# Within one key any value will do, but every label must be there.
_ALL = frozenset({"label"})


def select(
    containers: Sequence[Container],
    filters: dict[str, list[str]],
    *,
    everything: bool,
    limit: int | None,
) -> list[Container]:
    """What ``GET /containers/json`` lists, newest first; BadRequest names an unknown filter."""
    for key in filters:
        if key not in FILTERS and key not in ("before", "since"):
            offered = ", ".join([*FILTERS, "before", "since"])
            raise BadRequest(f"invalid filter '{key}': expected one of {offered}")
    if not (everything or limit or "status" in filters or "exited" in filters):
        containers = [one for one in containers if one.state in ("running", "paused")]
    kept = [one for one in _between(containers, filters) if _kept(one, filters)]
    return kept[:limit] if limit and limit > 0 else kept


def _kept(container: Container, filters: dict[str, list[str]]) -> bool:
    for key, keeps in FILTERS.items():
        if values := filters.get(key):
            combine: Callable[[Iterable[bool]], bool] = all if key in _ALL else any
            if not combine(keeps(container, value) for value in values):
                return False
    return True


def _between(containers: Sequence[Container], filters: dict[str, list[str]]) -> Iterable[Container]:
    """``before`` and ``since`` name a container; the list keeps the older, or the newer, ones."""
    for key, keeps in (("before", "__lt__"), ("since", "__gt__")):
        for value in filters.get(key, ()):
            named = [one for one in containers if value in (one.id, one.id[:12], one.name)]
            if not named:
                raise BadRequest(f"invalid filter '{key}={value}': no such container")
            border = named[0].created
            containers = [one for one in containers if getattr(one.created, keeps)(border)]
    return containers
