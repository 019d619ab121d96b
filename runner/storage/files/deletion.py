"""Remove untrusted directory trees.

``shutil.rmtree`` recurses, and a container can nest directories deeper than Python's stack
and than PATH_MAX.  Here one descriptor is open at a time, and paths have one component.
"""

import os
import threading
from pathlib import Path
from queue import Queue
from typing import Final

import structlog

log = structlog.get_logger()

_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(path: Path) -> None:
    """Remove the tree at ``path``; no error if it is missing."""
    parent = os.open(path.parent, _FLAGS)
    try:
        remove_tree(parent, os.fsencode(path.name))
    except FileNotFoundError:
        pass
    finally:
        os.close(parent)


def remove_tree(parent: int, name: bytes) -> None:
    """Remove the directory ``name`` of an open directory, and everything below it."""
    current = _enter(parent, name)
    try:
        entered: list[bytes] = []
        pending = [_empty(current)]
        while True:
            if pending[-1]:
                child = pending[-1].pop()
                current = _move(current, child)
                entered.append(child)
                pending.append(_empty(current))
                continue
            pending.pop()
            if not entered:
                break
            # Safe: no process moves these directories, so ".." is the parent we came from.
            current = _move(current, b"..")
            os.rmdir(entered.pop(), dir_fd=current)
    finally:
        os.close(current)
    os.rmdir(name, dir_fd=parent)


class DeletionQueue:
    """Deletes trees one by one in a background thread.

    A tree has been renamed before into a directory that the daemon clears at its start, so that
    the process may exit without waiting for the queue.
    """

    def __init__(self) -> None:
        self._waiting: Queue[Path] = Queue()
        self._thread: threading.Thread | None = None

    def put(self, path: Path) -> None:
        self._waiting.put(path)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="deletions", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait until the queue is empty; blocks."""
        self._waiting.join()

    def _work(self) -> None:
        while True:
            path = self._waiting.get()
            try:
                remove(path)
            except OSError as error:
                log.warning("not removed", path=str(path), error=str(error))
            finally:
                self._waiting.task_done()


def _empty(directory: int) -> list[bytes]:
    """Unlink everything but directories; returns the directories' names."""
    directories = []
    with os.scandir(directory) as entries:
        for entry in entries:
            name = os.fsencode(entry.name)
            if entry.is_dir(follow_symlinks=False):
                directories.append(name)
            else:
                os.unlink(name, dir_fd=directory)
    return directories


def _move(current: int, name: bytes) -> int:
    there = _enter(current, name)
    os.close(current)
    return there


def _enter(parent: int, name: bytes) -> int:
    try:
        return os.open(name, _FLAGS, dir_fd=parent)
    except PermissionError:
        # A directory without permissions for its owner; only happens without root.
        os.chmod(name, 0o700, dir_fd=parent)
        return os.open(name, _FLAGS, dir_fd=parent)
