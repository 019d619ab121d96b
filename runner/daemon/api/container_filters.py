"""Filters of container list and prune.

https://docs.docker.com/engine/api/v1.44/#tag/Container/operation/ContainerList and ContainerPrune
"""

import re
from collections.abc import Sequence
from typing import Final

from runner.errors import BadRequest
from runner.schema import filters
from runner.schema.filters import Filter, Filters, Predicate
from runner.services.containers.containers import Container
from runner.services.containers.lifecycle import State

# Valid states in docker that containers here never have: they match nothing.
_UNUSED_STATES = ("restarting", "dead")
_EXIT_CODE: Final = re.compile(r"-?[0-9]{1,18}")


def _exited(values: Sequence[str]) -> Predicate[Container]:
    for value in values:
        if not _EXIT_CODE.fullmatch(value):
            raise BadRequest(f"invalid filter 'exited={value}': expected an exit code")
    codes = {int(value) for value in values}
    return lambda one: not codes or (one.state == State.EXITED and one.exit_code in codes)


def _ancestor(container: Container, value: str) -> bool:
    image = container.options.image
    named = image == value or image.removesuffix(":latest") == value.removesuffix(":latest")
    prefix = value.removeprefix("sha256:")
    return named or (prefix != "" and container.image_id.encoded.startswith(prefix))


def _volume(container: Container, value: str) -> bool:
    return any(value in (mount.volume, mount.target) for mount in container.mounts if value)


LIST_FILTERS: dict[str, Filter[Container]] = {
    "ancestor": filters.any_of(_ancestor),
    "exited": _exited,
    "id": filters.any_of(lambda one, value: one.id.startswith(value)),
    "label": filters.label,
    # With and without its slash, so that ^/web$ and ^web$ both find /web.
    "name": filters.pattern("name", lambda one: (one.name, f"/{one.name}")),
    "network": filters.any_of(lambda one, value: one.network_mode == value),
    "status": filters.one_of(
        "status", (*State, *_UNUSED_STATES), lambda one, value: one.state == value
    ),
    "volume": filters.any_of(_volume),
}

PRUNE_FILTERS: dict[str, Filter[Container]] = {
    "label": filters.label,
    "label!": filters.without_label,
    "until": filters.created_before(lambda one: one.created),
}

_BOUNDS = ("before", "since")


def select(
    containers: Sequence[Container], requested: Filters, *, everything: bool, limit: int | None
) -> list[Container]:
    """Select the containers of ``GET /containers/json``, newest first.

    BadRequest names an unknown filter, or a value that no container could have.
    """
    filters.check_names(requested, (*LIST_FILTERS, *_BOUNDS))
    named = {key: values for key, values in requested.items() if key not in _BOUNDS}
    keeps = filters.selector(LIST_FILTERS, named)
    # Before stopped containers are dropped: before and since may name one.
    kept = [one for one in _in_bounds(containers, requested) if keeps(one)]
    if not (everything or limit or "status" in requested or "exited" in requested):
        kept = [one for one in kept if one.state in (State.RUNNING, State.PAUSED)]
    return kept[:limit] if limit and limit > 0 else kept


def _in_bounds(containers: Sequence[Container], requested: Filters) -> Sequence[Container]:
    """Keep containers older than the one ``before`` names, or newer than that of ``since``."""
    kept = containers
    for value in requested.get("before", ()):
        border = _find_named(containers, "before", value).created
        kept = [one for one in kept if one.created < border]
    for value in requested.get("since", ()):
        border = _find_named(containers, "since", value).created
        kept = [one for one in kept if one.created > border]
    return kept


def _find_named(containers: Sequence[Container], key: str, value: str) -> Container:
    name = value.removeprefix("/")
    found = [one for one in containers if value == one.id or name == one.name]
    found = found or [one for one in containers if value and one.id.startswith(value)]
    if len(found) != 1:
        problem = "several containers" if found else "no such container"
        raise BadRequest(f"invalid filter '{key}={value}': {problem}")
    return found[0]
