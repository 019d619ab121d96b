"""Faults at the k-th call that persists something: a file's, or the database's begin and commit."""

import contextlib
import errno
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

Fault = Literal["ENOSPC", "EDQUOT", "EIO", "EMFILE", "short write", "kill"]

# Which calls can meet the fault; None: all of them.
MEETS: dict[Fault, frozenset[str] | None] = {
    "ENOSPC": frozenset({"open", "pwritev", "fsync", "rename", "begin", "commit"}),
    "EDQUOT": frozenset({"open", "pwritev", "fsync", "rename"}),
    "EIO": None,
    "EMFILE": frozenset({"open"}),
    "short write": frozenset({"pwritev"}),
    "kill": None,
}
_SQLITE = {
    "ENOSPC": (sqlite3.SQLITE_FULL, "database or disk is full"),
    "EIO": (sqlite3.SQLITE_IOERR, "disk I/O error"),
}


class Plan:
    """The k-th call meets the fault; with 0, calls are only counted.  Calls come from any thread.

    ``before`` and ``after`` a call are two moments for a kill: its effect is there or it is not.
    """

    def __init__(self, fault: Fault = "EIO", at: int = 0, *, after: bool = False) -> None:
        self.fault, self.at, self.after = fault, at, after
        self.calls: list[str] = []
        self.fired: str | None = None
        self.is_armed = False
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        self.is_armed = True
        try:
            yield
        finally:
            self.is_armed = False

    def meets(self, call: str) -> bool:
        """Count a call; whether it is the one."""
        able = MEETS[self.fault]
        if not self.is_armed or (able is not None and call not in able):
            return False
        with self._lock:
            self.calls.append(call)
            if len(self.calls) != self.at:
                return False
            self.fired = call
            return True

    def strike(self) -> None:
        """Fail a file's call, in place of its effect."""
        if self.fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault != "short write":
            code = getattr(errno, self.fault)
            raise OSError(code, os.strerror(code))


class FaultySystem:
    """``os``, but for the one call that the plan names."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def __getattr__(self, call: str) -> Any:
        real = getattr(os, call)

        def perform(*arguments: Any, **options: Any) -> Any:
            plan = self._plan
            if not plan.meets(call):
                return real(*arguments, **options)
            if plan.after:
                result = real(*arguments, **options)
                plan.strike()
                return result
            plan.strike()
            return self._write_little(*arguments)

        return perform

    def _write_little(self, fd: int, buffers: Sequence[bytes | memoryview], offset: int) -> int:
        """A short write: a third of what was given, and no error."""
        first = memoryview(next(buffer for buffer in buffers if len(buffer)))
        return os.pwrite(fd, first[: max(1, len(first) // 3)], offset)


@contextlib.contextmanager
def faulty_database(plan: Plan) -> Iterator[None]:
    """Let the database's begin and commit meet the plan: those of writers, not of readers."""

    def met(call: str) -> None:
        if threading.current_thread().name != "database-writer" or not plan.meets(call):
            return
        if plan.fault == "kill":
            plan.strike()
        code, words = _SQLITE[plan.fault]
        error = sqlite3.OperationalError(words)
        error.sqlite_errorcode = code
        raise OperationalError(call, None, error)

    def begin(_connection: Connection) -> None:
        met("begin")

    def commit(connection: Connection) -> None:
        try:
            met("commit")
        except OperationalError:
            # As SQLite does before it says that a commit failed.
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.rollback()
            raise

    event.listen(Engine, "begin", begin)
    event.listen(Engine, "commit", commit)
    try:
        yield
    finally:
        event.remove(Engine, "begin", begin)
        event.remove(Engine, "commit", commit)
