"""Processes: a whole tree of them ended, and orphans that become our children collected.

https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
"""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from runner.linux.syscalls import check, libc

_PR_SET_CHILD_SUBREAPER: Final = 36
# A process may start another while its tree is read; each round finds those of the last.
_ROUNDS: Final = 10


def become_subreaper() -> None:
    """Make orphans among our descendants our children, so that their exit codes can be read."""
    check(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def kill_tree(*pids: int) -> None:
    """SIGKILL these processes and all their descendants; pids of 0 are none.

    Those that are, or become, our children are collected by the running loop.
    """
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = {pid for root in pids if root > 0 for pid in (root, *_descendants(root))}
        found |= {pid for root in killed for pid in _descendants(root)}
        if not found - killed:
            return
        for pid in found - killed:
            _kill(pid)
        killed |= found


def reap(pidfd: int) -> int | None:
    """The exit code of a child that has ended, negative for a signal; None for another's child."""
    try:
        ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return None
    if ended is None:
        return None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def reap_later(pidfd: int) -> None:
    """Collect the process once it ends, if it is our child then, and close the descriptor."""
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(pidfd)
        reap(pidfd)
        os.close(pidfd)

    loop.add_reader(pidfd, ended)


def _kill(pid: int) -> None:
    with suppress(OSError):
        # The pidfd comes first: from then on the pid cannot become somebody else's.
        pidfd = os.pidfd_open(pid)
        with suppress(OSError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        reap_later(pidfd)


def _descendants(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError, ValueError):
            for child in map(int, children.read_text(encoding="ascii").split()):
                yield child
                yield from _descendants(child)
