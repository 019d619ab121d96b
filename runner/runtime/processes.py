"""A container's processes, in the format of ``ps -ef``, as seen from the host.

A process belongs to a container if it is in its PID namespace.
"""

import os
import pwd
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from runner.errors import BadRequest
from runner.tasks.threads import in_thread

TITLES: Final = ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PS_SECONDS: Final = 10

Row = tuple[str, ...]


async def table(pid: int, arguments: Sequence[str] = ()) -> tuple[Row, tuple[Row, ...]]:
    """Titles and rows of the processes in the same PID namespace as ``pid``.

    Without arguments, or with ``-ef``, the columns of ``ps -ef``; with others, those of this
    host's ps.  BadRequest if ps refuses them, or its output has no PID column to filter by.
    """
    if tuple(arguments) in ((), ("-ef",), ("ef",)):
        return TITLES, await in_thread(_rows, pid)
    return await in_thread(_rows_of_ps, pid, tuple(arguments))


def _rows(pid: int) -> tuple[Row, ...]:
    booted = time.time() - float((_PROC / "uptime").read_text(encoding="ascii").split()[0])
    rows = []
    for process in _processes(pid):
        # A process may exit meanwhile.
        with suppress(OSError):
            rows.append(_row(_PROC / process, booted))
    return tuple(rows)


def _rows_of_ps(pid: int, arguments: Row) -> tuple[Row, tuple[Row, ...]]:
    titles, *lines = _run_ps(arguments) or [""]
    columns = titles.split()
    # A renamed column ("-o pid=NAME") cannot be recognized.
    if columns.count("PID") != 1:
        raise BadRequest(f"top: ps {' '.join(arguments)} shows no column PID: {titles!r}")
    place, inside = columns.index("PID"), set(_processes(pid))
    # The last column may hold spaces.
    rows = (tuple(line.split(None, len(columns) - 1)) for line in lines)
    return tuple(columns), tuple(row for row in rows if inside & {*row[place : place + 1]})


def _run_ps(arguments: Row) -> list[str]:
    try:
        done = subprocess.run(  # noqa: S603 - no shell reads them, and whoever asks is root
            ["ps", *arguments],  # noqa: S607 - wherever this host has it
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PS_SECONDS,
            check=True,
        )
    except FileNotFoundError as error:
        raise BadRequest("top: this host has no ps, which other columns need") from error
    except subprocess.CalledProcessError as error:
        message = error.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise BadRequest(f"top: ps refuses {' '.join(arguments)}: {message}") from error
    except subprocess.TimeoutExpired as error:
        raise BadRequest(f"top: ps did not end within {_PS_SECONDS} seconds") from error
    return done.stdout.decode(errors="replace").splitlines()


def _processes(pid: int) -> list[str]:
    """The PIDs, in order, of the processes in the same PID namespace."""
    namespace = _namespace(_PROC / str(pid))
    numbers = sorted((name for name in os.listdir(_PROC) if name.isdigit()), key=int)
    return [one for one in numbers if namespace and _namespace(_PROC / one) == namespace]


def _namespace(process: Path) -> str:
    try:
        return os.readlink(process / "ns" / "pid")
    except OSError:
        return ""


def _row(process: Path, booted: float) -> Row:
    stat = (process / "stat").read_text(encoding="utf-8", errors="replace")
    # The name may contain any character, even spaces and parentheses.
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
