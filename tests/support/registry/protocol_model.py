"""The storage protocol as a small state machine, searched through every interleaving.

Two pushers of the same digest, a manifest that names it, leases and uploads that expire, the
collector, the purger, the orphan sweeper, kill -9 and power loss.  ``Protocol`` holds one flag for
each thing the protocol insists on; turning one off gives a broken variant, and ``search`` finds the
shortest run that breaks an invariant.

Left out: torn directory blocks, disks that lie about a flush.  A file's bytes and its
directory entry become durable independently; a rename is atomic.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

# Where a pusher stands: it numbers its steps, and these three are none of them.
ANSWERED = 7
FINISHED = 99
PUSHERS = (0, 1)


class File(NamedTuple):
    """One file of the store, and which of its halves a power loss cannot take."""

    name: str
    bytes_durable: bool
    entry_durable: bool


class Database(NamedTuple):
    """State of the rows."""

    uploads: frozenset[str]
    blob: str | None
    leases: int
    referenced: bool
    trash: frozenset[str]


class Sweep(NamedTuple):
    """The orphan sweeper: phase 0 begins, 1 has looked, 2 unlinks, 3 is done."""

    phase: int = 0
    names: frozenset[str] | None = None
    rows: Database | None = None
    garbage: frozenset[str] = frozenset()


class State(NamedTuple):
    """Everything that can be different between two moments."""

    rows: Database
    durable_rows: Database
    files: frozenset[File] = frozenset()
    steps: tuple[int, int] = (0, 0)
    found_there: tuple[bool, bool] = (False, False)
    answered: tuple[bool, bool] = (False, False)
    manifest: str = "none"
    collections: int = 0
    candidate: bool = False
    sweep: Sweep = Sweep()
    crashes: int = 0
    expired_uploads: int = 0

    def has(self, name: str) -> bool:
        return any(file.name == name for file in self.files)

    def file(self, name: str) -> File:
        return next(file for file in self.files if file.name == name)

    def without(self, name: str) -> frozenset[File]:
        return frozenset(file for file in self.files if file.name != name)


Moves = Iterator[tuple[str, State]]


@dataclass(frozen=True, slots=True)
class Protocol:
    """Rules of the protocol; each flag turned off is a mistake somebody made."""

    syncs_the_file: bool = True
    syncs_the_directory: bool = True
    takes_the_upload_row: bool = True
    never_reuses_a_name: bool = True
    commits_durably: bool = True
    leases_in_the_same_transaction: bool = True
    validates_again_when_deleting: bool = True
    lists_before_it_asks: bool = True
    sweeps: bool = True
    crashes: int = 2


class Violation(NamedTuple):
    """An invariant that broke, and the shortest run that breaks it."""

    invariant: str
    run: tuple[str, ...]


class Result(NamedTuple):
    """How many states were visited, and what broke, if anything did."""

    states: int
    violation: Violation | None


def search(protocol: Protocol) -> Result:
    """Visit every reachable state, breadth first, until an invariant breaks."""
    first = _beginning()
    came_from: dict[State, tuple[State, str] | None] = {first: None}
    queue = deque([first])
    visited = 0
    while queue:
        state = queue.popleft()
        visited += 1
        for label, following in _moves(protocol, state):
            if following in came_from:
                continue
            came_from[following] = (state, label)
            broken = _broken_invariant(protocol, following, label)
            if broken is not None:
                return Result(visited, Violation(broken, _run_to(following, came_from)))
            queue.append(following)
    return Result(visited, None)


def _beginning() -> State:
    rows = Database(frozenset(), None, 0, False, frozenset())
    return State(rows, rows)


def _run_to(state: State, came_from: dict[State, tuple[State, str] | None]) -> tuple[str, ...]:
    run: list[str] = []
    while (step := came_from[state]) is not None:
        state, label = step
        run.append(label)
    return tuple(reversed(run))


def _moves(protocol: Protocol, state: State) -> Moves:
    for actor in (_push, _use, _expire, _collect, _purge, _sweep, _crash):
        yield from actor(protocol, state)


def _commit(protocol: Protocol, state: State, rows: Database) -> State:
    durable = rows if protocol.commits_durably else state.durable_rows
    return state._replace(rows=rows, durable_rows=durable)


def _published_name(protocol: Protocol, pusher: int) -> str:
    return f"f{pusher}" if protocol.never_reuses_a_name else "fD"


def _put(pair: tuple[bool, bool], index: int) -> tuple[bool, bool]:
    return (True, pair[1]) if index == 0 else (pair[0], True)


def _at(state: State, pusher: int, step: int) -> State:
    steps = (step, state.steps[1]) if pusher == 0 else (state.steps[0], step)
    return state._replace(steps=steps)


# --- a push: row, bytes, fsync, rename, fsync of the directory, transaction, answer ---


def _push(protocol: Protocol, state: State) -> Moves:
    for pusher in PUSHERS:
        step = _PUSH_STEPS.get(state.steps[pusher])
        following = step(protocol, state, pusher) if step is not None else None
        if step is not None and following is not None:
            yield f"P{pusher}.{step.__name__.strip('_')}", following


def _open_session(protocol: Protocol, state: State, pusher: int) -> State:
    rows = state.rows._replace(uploads=state.rows.uploads | {f"u{pusher}"})
    return _at(_commit(protocol, state, rows), pusher, 1)


def _write(_: Protocol, state: State, pusher: int) -> State:
    upload = f"u{pusher}"
    files = state.without(upload) | {File(upload, bytes_durable=False, entry_durable=False)}
    return _at(state._replace(files=files), pusher, 2)


def _sync_file(protocol: Protocol, state: State, pusher: int) -> State:
    upload = f"u{pusher}"
    if not state.has(upload):
        return _at(state, pusher, FINISHED)
    file = state.file(upload)
    synced = file._replace(bytes_durable=protocol.syncs_the_file or file.bytes_durable)
    return _at(state._replace(files=state.without(upload) | {synced}), pusher, 3)


def _rename(protocol: Protocol, state: State, pusher: int) -> State:
    upload, name = f"u{pusher}", _published_name(protocol, pusher)
    if not state.has(upload):
        return _at(state, pusher, FINISHED)
    published = File(name, state.file(upload).bytes_durable, entry_durable=False)
    remaining = frozenset(file for file in state.files if file.name not in (upload, name))
    return _at(state._replace(files=remaining | {published}), pusher, 4)


def _sync_directory(protocol: Protocol, state: State, pusher: int) -> State:
    name = _published_name(protocol, pusher)
    files = state.files
    if protocol.syncs_the_directory and state.has(name):
        files = state.without(name) | {state.file(name)._replace(entry_durable=True)}
    return _at(state._replace(files=files), pusher, 5)


def _record(protocol: Protocol, state: State, pusher: int) -> State:
    upload, rows = f"u{pusher}", state.rows
    if protocol.takes_the_upload_row and upload not in rows.uploads:
        return _at(state, pusher, FINISHED)
    found_there = state.found_there
    if rows.blob is None:
        rows = rows._replace(blob=_published_name(protocol, pusher))
    elif protocol.never_reuses_a_name:
        found_there = _put(found_there, pusher)
    rows = rows._replace(uploads=rows.uploads - {upload})
    if protocol.leases_in_the_same_transaction:
        rows = rows._replace(leases=rows.leases | 1 << pusher)
    return _at(_commit(protocol, state, rows)._replace(found_there=found_there), pusher, 6)


def _answer(protocol: Protocol, state: State, pusher: int) -> State:
    if not protocol.leases_in_the_same_transaction:
        state = _commit(
            protocol, state, state.rows._replace(leases=state.rows.leases | 1 << pusher)
        )
    return _at(state._replace(answered=_put(state.answered, pusher)), pusher, ANSWERED)


def _remove_duplicate(protocol: Protocol, state: State, pusher: int) -> State | None:
    if not state.found_there[pusher]:
        return None
    files = state.without(_published_name(protocol, pusher))
    return _at(state._replace(files=files), pusher, FINISHED)


_PUSH_STEPS: dict[int, Callable[[Protocol, State, int], State | None]] = {
    0: _open_session,
    1: _write,
    2: _sync_file,
    3: _rename,
    4: _sync_directory,
    5: _record,
    6: _answer,
    ANSWERED: _remove_duplicate,
}


# --- what else changes the rows ---


def _use(protocol: Protocol, state: State) -> Moves:
    """The first pusher's manifest is pushed while its lease lasts, and deleted again."""
    rows = state.rows
    if state.manifest == "none" and state.answered[0] and rows.leases & 1:
        if rows.blob is None:
            yield "M.refused", state._replace(manifest="refused")
        else:
            held = _commit(protocol, state, rows._replace(referenced=True))
            yield "M.put", held._replace(manifest="held")
    if state.manifest == "held":
        freed = _commit(protocol, state, rows._replace(referenced=False))
        yield "M.delete", freed._replace(manifest="deleted")


def _expire(protocol: Protocol, state: State) -> Moves:
    rows = state.rows
    for pusher in PUSHERS:
        # A lease is far longer than a request: it expires only after the answer, and the first
        # pusher's only once its manifest was pushed.
        is_due = pusher == 1 or state.manifest in ("held", "deleted")
        if rows.leases & 1 << pusher and state.answered[pusher] and is_due:
            leases = rows.leases & ~(1 << pusher)
            yield f"L{pusher}.expire", _commit(protocol, state, rows._replace(leases=leases))
    if state.expired_uploads < 1:
        for upload in sorted(rows.uploads):
            expired = _commit(protocol, state, rows._replace(uploads=rows.uploads - {upload}))
            yield f"expire_{upload}", expired._replace(expired_uploads=1)


def _collect(protocol: Protocol, state: State) -> Moves:
    rows = state.rows
    is_garbage = rows.blob is not None and not rows.referenced and rows.leases == 0
    if protocol.validates_again_when_deleting:
        if is_garbage and state.collections < 2:
            yield "GC.delete", _to_trash(protocol, state, state.collections + 1)
        return
    if state.collections == 0 and not state.candidate and is_garbage:
        yield "GC.scan", state._replace(candidate=True)
    if state.candidate and rows.blob is not None:
        yield "GC.delete", _to_trash(protocol, state._replace(candidate=False), 1)


def _to_trash(protocol: Protocol, state: State, collections: int) -> State:
    assert state.rows.blob is not None
    rows = state.rows._replace(trash=state.rows.trash | {state.rows.blob}, blob=None)
    return _commit(protocol, state, rows)._replace(collections=collections)


def _purge(protocol: Protocol, state: State) -> Moves:
    for name in sorted(state.rows.trash):
        if state.has(name):
            yield f"purge.unlink_{name}", state._replace(files=state.without(name))
        else:
            rows = state.rows._replace(trash=state.rows.trash - {name})
            yield f"purge.forget_{name}", _commit(protocol, state, rows)


def _sweep(protocol: Protocol, state: State) -> Moves:
    if not protocol.sweeps:
        return
    sweep = state.sweep
    if sweep.phase == 0:
        names = frozenset(file.name for file in state.files)
        looked = (
            Sweep(1, names=names) if protocol.lists_before_it_asks else Sweep(1, rows=state.rows)
        )
        yield "SW.look", state._replace(sweep=looked)
    elif sweep.phase == 1:
        names = sweep.names or frozenset()
        if not protocol.lists_before_it_asks:
            names = frozenset(file.name for file in state.files)
        garbage = _unknown(names, sweep.rows or state.rows)
        yield "SW.decide", state._replace(sweep=Sweep(2, garbage=garbage))
    elif sweep.phase == 2 and sweep.garbage:
        name = min(sweep.garbage)
        remaining = Sweep(2, garbage=sweep.garbage - {name})
        yield f"SW.unlink_{name}", state._replace(files=state.without(name), sweep=remaining)
    elif sweep.phase == 2:
        yield "SW.done", state._replace(sweep=Sweep(3))


def _unknown(names: frozenset[str], rows: Database) -> frozenset[str]:
    return frozenset(
        name
        for name in names
        if name.replace("f", "u") not in rows.uploads
        and name != rows.blob
        and name not in rows.trash
    )


# --- crashes ---


def _crash(protocol: Protocol, state: State) -> Moves:
    if state.crashes >= protocol.crashes:
        return
    killed = state._replace(
        steps=(_dead(state.steps[0]), _dead(state.steps[1])),
        sweep=Sweep() if state.sweep.phase < 3 else state.sweep,
        crashes=state.crashes + 1,
        candidate=False,
    )
    yield "KILL", killed
    images = [state.rows] if protocol.commits_durably else [state.rows, state.durable_rows]
    for files, rows in product(_files_after_power_loss(state), images):
        yield "POWER", killed._replace(files=files, rows=rows, durable_rows=rows)


def _dead(step: int) -> int:
    return FINISHED if 0 < step < ANSWERED else step


def _files_after_power_loss(state: State) -> Iterator[frozenset[File]]:
    """Every set of files a disk may show: an entry that was not synced is there or is not."""
    safe = frozenset(file for file in state.files if file.bytes_durable and file.entry_durable)
    volatile = sorted(state.files - safe)
    for kept in product((False, True), repeat=len(volatile)):
        survivors = {
            file._replace(entry_durable=True)
            for file, is_kept in zip(volatile, kept, strict=True)
            if is_kept or file.entry_durable
        }
        yield safe | survivors


# --- what must hold ---


def _broken_invariant(protocol: Protocol, state: State, label: str) -> str | None:
    rows = state.rows
    if rows.blob is not None:
        if not state.has(rows.blob):
            return "I1: a row without its file"
        if label == "POWER" and not state.file(rows.blob).bytes_durable:
            return "I2: a committed blob whose bytes were not durable"
    if state.manifest == "refused":
        return "I5: an acknowledged blob vanished before its manifest came"
    if rows.referenced and rows.blob is None:
        return "I4: a referenced blob was collected"
    leased = any(state.answered[pusher] and rows.leases & 1 << pusher for pusher in PUSHERS)
    if protocol.commits_durably and leased and rows.blob is None:
        return "I5: a leased, acknowledged blob has no row"
    return None
