"""Processes: those that run in a container, as ``ps -ef`` would show them from the host.

A process is in a container when it is in its PID namespace, whoever started it there.
"""

import os
import pwd
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from runner.storage.threads import in_thread

TITLES: Final = ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")

Row = tuple[str, ...]


async def table(pid: int) -> tuple[Row, tuple[Row, ...]]:
    """Titles and rows of the processes in the same PID namespace as ``pid``."""
    return TITLES, await in_thread(_rows, pid)


def _rows(pid: int) -> tuple[Row, ...]:
    namespace = _namespace(_PROC / str(pid))
    booted = time.time() - float((_PROC / "uptime").read_text(encoding="ascii").split()[0])
    rows = []
    for entry in sorted((name for name in os.listdir(_PROC) if name.isdigit()), key=int):
        # A process may end while we look at it.
        with suppress(OSError):
            if namespace and _namespace(_PROC / entry) == namespace:
                rows.append(_row(_PROC / entry, booted))
    return tuple(rows)


def _namespace(process: Path) -> str:
    try:
        return os.readlink(process / "ns" / "pid")
    except OSError:
        return ""


def _row(process: Path, booted: float) -> Row:
    stat = (process / "stat").read_text(encoding="utf-8", errors="replace")
    # The name in the middle may hold anything, also spaces and parentheses.
    name, _, rest = stat.partition("(")[2].rpartition(")")
    fields = rest.split()
    seconds = (int(fields[11]) + int(fields[12])) // _TICKS
    started = time.localtime(booted + int(fields[19]) / _TICKS)
    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return (
        _user(process.stat().st_uid),
        process.name,
        fields[1],
        "0",
        time.strftime("%H:%M", started),
        _terminal(int(fields[4])),
        f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}",
        command.strip() or f"[{name}]",
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _terminal(device: int) -> str:
    return f"pts/{os.minor(device)}" if device else "?"
