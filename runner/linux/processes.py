"""Kill process trees; reap orphans as a subreaper.

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
# A process may fork while the tree is read; each round finds the new ones.
_ROUNDS: Final = 10


def become_subreaper() -> None:
    """Become the parent of orphaned descendants, so that their exit codes can be read."""
    check(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def kill_tree(*pids: int) -> None:
    """SIGKILL these processes and all their descendants; a pid of 0 is ignored.

    The running loop reaps those that are, or become, our children.
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
    """Reap an exited child: its exit code, negative for a signal; None if it is not our child."""
    try:
        ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return None
    if ended is None:
        return None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def reap_later(pidfd: int) -> None:
    """Reap the process when it exits, if it is our child then, and close the descriptor."""
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(pidfd)
        reap(pidfd)
        os.close(pidfd)

    loop.add_reader(pidfd, ended)


def _kill(pid: int) -> None:
    with suppress(OSError):
        # Opened first: from then on the pid cannot be reused.
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
