"""The states of a container, and what may be done to it in each: a table.

https://github.com/opencontainers/runtime-spec/blob/main/runtime.md#lifecycle, in the words that
the Engine API shows.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from runner.errors import Conflict, Kind, NotModified, RunnerError


class State(StrEnum):
    """Where a container is in its life; the values are what the Engine API shows."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"
    REMOVING = "removing"


class Verb(StrEnum):
    """What may be asked of a container."""

    START = "start"
    STOP = "stop"
    KILL = "kill"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    REMOVE = "remove"
    EXEC = "exec"
    RESIZE = "resize"


# A verb that is not in a state's row is refused in that state.
TRANSITIONS: Final[Mapping[State, Mapping[Verb, State]]] = {
    State.CREATED: {
        Verb.START: State.RUNNING,
        Verb.REMOVE: State.REMOVING,
    },
    State.RUNNING: {
        Verb.STOP: State.EXITED,
        Verb.KILL: State.RUNNING,
        Verb.PAUSE: State.PAUSED,
        Verb.EXEC: State.RUNNING,
        Verb.RESIZE: State.RUNNING,
    },
    State.PAUSED: {
        Verb.STOP: State.EXITED,
        Verb.KILL: State.PAUSED,
        Verb.UNPAUSE: State.RUNNING,
        Verb.RESIZE: State.PAUSED,
    },
    State.EXITED: {
        Verb.START: State.RUNNING,
        Verb.REMOVE: State.REMOVING,
    },
    State.REMOVING: {},
}

ALIVE: Final = frozenset({State.RUNNING, State.PAUSED})

_REFUSALS: Final[Mapping[Verb, str]] = {
    Verb.START: "container {id} is marked for removal and cannot be started",
    Verb.STOP: "container {id} is being removed and cannot be stopped",
    Verb.KILL: "cannot kill container: {name}: container {id} is not running",
    Verb.PAUSE: "container {id} is not running",
    Verb.UNPAUSE: "container {id} is not paused",
    Verb.REMOVE: "removal of container {name} is already in progress",
    Verb.EXEC: "container {id} is not running",
    Verb.RESIZE: "container {id} is not running",
}
_PARTICULAR: Final[Mapping[tuple[State, Verb], str]] = {
    (State.PAUSED, Verb.START): "cannot start a paused container, try unpause instead",
    (State.PAUSED, Verb.PAUSE): "container {id} is already paused",
    (State.PAUSED, Verb.EXEC): "container {name} is paused, unpause the container before exec",
    (State.RUNNING, Verb.REMOVE): (
        "cannot remove container {name}: it is running, stop it before or force the removal"
    ),
    (State.PAUSED, Verb.REMOVE): (
        "cannot remove container {name}: it is paused, unpause and stop it or force the removal"
    ),
}
_OF_A_PROCESS: Final = frozenset({Verb.KILL, Verb.PAUSE, Verb.EXEC, Verb.RESIZE})
_ALREADY: Final = frozenset(
    {(State.RUNNING, Verb.START), (State.CREATED, Verb.STOP), (State.EXITED, Verb.STOP)}
)


def after(state: State, verb: Verb, id: str, name: str) -> State:
    """The state that a verb leads to.

    Raises NotModified if the container is there already, Conflict if the verb makes no sense.
    """
    following = TRANSITIONS[state].get(verb)
    if following is None:
        raise refusal(state, verb, id, name)
    return following


def refusal(state: State, verb: Verb, id: str, name: str) -> RunnerError:
    """Why a verb is refused in a state, in one sentence."""
    if (state, verb) in _ALREADY:
        return NotModified(f"container {name} is already {state}")
    text = _PARTICULAR.get((state, verb), _REFUSALS[verb])
    needs_process = verb in _OF_A_PROCESS and state not in ALIVE
    kind = Kind.CONTAINER_NOT_RUNNING if needs_process else None
    return Conflict(text.format(id=id, name=name), kind=kind)
