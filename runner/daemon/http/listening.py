"""The daemon's listening socket: mode 0660, or inherited from systemd."""

import errno
import grp
import os
import socket
import stat
from pathlib import Path

from runner.errors import Conflict, RunnerError
from runner.linux.directories import make_directory

# systemd passes listening sockets from this descriptor on (sd_listen_fds(3)).
_FIRST_INHERITED = 3


class CannotListen(RunnerError):
    """The socket cannot be created."""


def listen(path: Path, group: str | None = None) -> socket.socket:
    """Listen at ``path``; root and ``group`` may connect.

    A stale socket is replaced.  Raises Conflict if another daemon answers on it, CannotListen
    if the path is another kind of file.
    """
    owner = _group(group)
    make_directory(path.parent, 0o755)
    _remove_stale_socket(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # bind(2) creates the file: with this umask no other user can connect before chmod.
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise CannotListen(f"cannot listen on {path}: {error.strerror}") from error
    finally:
        os.umask(before)
    if owner is not None:
        os.chown(path, -1, owner)
    path.chmod(0o660)
    listener.listen(128)
    return listener


def inherited() -> socket.socket | None:
    """The listening socket passed by systemd, or None."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if os.environ.get("LISTEN_FDS") != "1":
        raise CannotListen(f"expected one socket from systemd, got {os.environ['LISTEN_FDS']}")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    os.set_inheritable(_FIRST_INHERITED, False)
    return socket.socket(fileno=_FIRST_INHERITED)


def _remove_stale_socket(path: Path) -> None:
    """Remove the socket of a daemon that no longer runs."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"cannot listen on {path}: it is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        refused = probe.connect_ex(str(path))
    if refused not in (errno.ECONNREFUSED, errno.ENOENT):
        raise Conflict(f"another daemon answers on {path}")
    path.unlink(missing_ok=True)


def _group(name: str | None) -> int | None:
    if name is None:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise CannotListen(f"socket_group: there is no group {name!r}") from error
