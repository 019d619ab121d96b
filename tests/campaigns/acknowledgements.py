"""The acknowledgement log: what clients asked for and were told, kept outside the system.

JSON lines.  An operation has an ``invoke`` line and later ``ok`` (it happened), ``fail`` (it did
not, and never will) or ``unknown`` (nobody answered: it may have happened, or may still).  A
``down`` line says that the server's process has ended: what was unknown then is over.  After a
``cut`` line nothing counts as acknowledged until the next ``down``.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.campaigns.wire import Refused


class Operation:
    """An operation on its way; whoever runs it says how it ended."""

    def __init__(self) -> None:
        self.end = "unknown"
        self.details: dict[str, Any] = {}

    def ok(self, **details: Any) -> None:
        self.end, self.details = "ok", details

    def fail(self, **details: Any) -> None:
        self.end, self.details = "fail", details


class AcknowledgementLog:
    """Lines in a file, in the order in which things happened; an acknowledgement is synced.

    ``t`` is the machine's monotonic clock, which a crash of the server does not touch.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._last = path.read_bytes().count(b"\n")
        self.counts = {"ok": 0, "fail": 0, "unknown": 0}

    @contextmanager
    def operation(self, kind: str, **what: Any) -> Iterator[Operation]:
        """Write down the invocation, then the end.

        A refusal is a failure, unless the server itself says that it does not know (5xx).
        """
        self._last += 1
        number = self._last
        self._write(event="invoke", n=number, op=kind, **what)
        operation = Operation()
        try:
            yield operation
        except Refused as refused:
            if refused.answer.status < 500:
                operation.fail()
            raise
        finally:
            self.counts[operation.end] += 1
            self._write(event=operation.end, n=number, **operation.details)
            if operation.end == "ok":
                os.fdatasync(self._fd)

    def down(self) -> None:
        """The server's process has ended, and nothing that was asked of it can happen any more."""
        self._write(event="down")
        os.fdatasync(self._fd)

    def cut(self) -> None:
        """The power is about to go: a machine without it acknowledges nothing any more.

        The file system that is shut down in its place does: the sync that runs at that moment may
        succeed and still be lost (seen in 12 of 120 trials with a bare write and fsync, and
        never with one that had returned before the cut).
        """
        self._write(event="cut")

    def note(self, **what: Any) -> None:
        """A line for people; the checker does not read it."""
        self._write(event="note", **what)

    def close(self) -> None:
        os.close(self._fd)

    def _write(self, **line: Any) -> None:
        line["t"] = time.monotonic()
        os.write(self._fd, json.dumps(line, separators=(",", ":")).encode() + b"\n")
