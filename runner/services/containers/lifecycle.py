"""Container states, and the table of operations allowed in each.

https://github.com/opencontainers/runtime-spec/blob/main/runtime.md#lifecycle, with the Engine
API's names.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from runner.errors import Conflict, Kind, NotModified, RunnerError


class State(StrEnum):
    """A container's state; the values are the Engine API's."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"
    REMOVING = "removing"


class Operation(StrEnum):
    """An operation on a container."""

    START = "start"
    STOP = "stop"
    KILL = "kill"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    REMOVE = "remove"
    EXEC = "exec"
    RESIZE = "resize"


# An operation missing from a state's row is refused in that state.
TRANSITIONS: Final[Mapping[State, Mapping[Operation, State]]] = {
    State.CREATED: {
        Operation.START: State.RUNNING,
        Operation.REMOVE: State.REMOVING,
    },
    State.RUNNING: {
        Operation.STOP: State.EXITED,
        Operation.KILL: State.RUNNING,
        Operation.PAUSE: State.PAUSED,
        Operation.EXEC: State.RUNNING,
        Operation.RESIZE: State.RUNNING,
    },
    State.PAUSED: {
        Operation.STOP: State.EXITED,
        Operation.KILL: State.PAUSED,
        Operation.UNPAUSE: State.RUNNING,
        Operation.RESIZE: State.PAUSED,
    },
    State.EXITED: {
        Operation.START: State.RUNNING,
        Operation.REMOVE: State.REMOVING,
    },
    State.REMOVING: {},
}

ALIVE: Final = frozenset({State.RUNNING, State.PAUSED})

_REFUSALS: Final[Mapping[Operation, str]] = {
    Operation.START: "container {id} is marked for removal and cannot be started",
    Operation.STOP: "container {id} is being removed and cannot be stopped",
    Operation.KILL: "cannot kill container: {name}: container {id} is not running",
    Operation.PAUSE: "container {id} is not running",
    Operation.UNPAUSE: "container {id} is not paused",
    Operation.REMOVE: "removal of container {name} is already in progress",
    Operation.EXEC: "container {id} is not running",
    Operation.RESIZE: "container {id} is not running",
}
_SPECIFIC_REFUSALS: Final[Mapping[tuple[State, Operation], str]] = {
    (State.PAUSED, Operation.START): "cannot start a paused container, try unpause instead",
    (State.PAUSED, Operation.PAUSE): "container {id} is already paused",
    (State.PAUSED, Operation.EXEC): "container {name} is paused, unpause the container before exec",
    (State.RUNNING, Operation.REMOVE): (
        "cannot remove container {name}: it is running, stop it before or force the removal"
    ),
    (State.PAUSED, Operation.REMOVE): (
        "cannot remove container {name}: it is paused, unpause and stop it or force the removal"
    ),
}
_NEEDS_PROCESS: Final = frozenset(
    {Operation.KILL, Operation.PAUSE, Operation.EXEC, Operation.RESIZE}
)
_ALREADY: Final = frozenset(
    {
        (State.RUNNING, Operation.START),
        (State.CREATED, Operation.STOP),
        (State.EXITED, Operation.STOP),
    }
)


def next_state(state: State, operation: Operation, id: str, name: str) -> State:
    """The state after an operation.

    Raises NotModified if the container is already in that state, Conflict if it is not allowed.
    """
    following = TRANSITIONS[state].get(operation)
    if following is None:
        raise refusal(state, operation, id, name)
    return following


def refusal(state: State, operation: Operation, id: str, name: str) -> RunnerError:
    """The error for an operation refused in a state."""
    if (state, operation) in _ALREADY:
        return NotModified(f"container {name} is already {state}")
    text = _SPECIFIC_REFUSALS.get((state, operation), _REFUSALS[operation])
    needs_process = operation in _NEEDS_PROCESS and state not in ALIVE
    kind = Kind.CONTAINER_NOT_RUNNING if needs_process else None
    return Conflict(text.format(id=id, name=name), kind=kind)
