"""Flatten lower directories into one, for images with more layers than one mount allows.

The lowest directories hide nothing below them, so whiteouts and opaque markers are dropped after
the merge.  Files are hard links: the merged directory costs only its directories, and survives
the removal of its layers.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.storage.files.copies import copy_attributes, link_or_copy
from runner.storage.files.walk import is_whiteout
from runner.storage.files.xattrs import is_opaque


def flatten(stack: Sequence[Path], place: Path) -> None:
    """Fill the empty directory ``place`` with what overlayfs shows of ``stack``, topmost first.

    Blocking.  Raises OSError.
    """
    pending: list[tuple[Sequence[Path], Path]] = [(stack, place)]
    made: list[tuple[Path, os.stat_result, Path]] = []
    while pending:
        directories, here = pending.pop()
        for path, found, merged in _shown(directories):
            target = here / path.name
            if not stat.S_ISDIR(found.st_mode):
                link_or_copy(path, target)
                continue
            target.mkdir(mode=0o700)
            made.append((path, found, target))
            pending.append((merged, target))
    # Children first: creating them changes their parents' times.
    for source, found, target in reversed(made):
        copy_attributes(source, found, target)


def _shown(directories: Sequence[Path]) -> Iterator[tuple[Path, os.stat_result, Sequence[Path]]]:
    """The visible names of merged directories: the topmost file, or all merged directories."""
    top: dict[str, tuple[Path, os.stat_result]] = {}
    parts: dict[str, list[Path]] = {}
    hidden: set[str] = set()
    for directory in directories:
        for entry in os.scandir(directory):
            if entry.name in hidden:
                continue
            path, found = directory / entry.name, entry.stat(follow_symlinks=False)
            is_directory = stat.S_ISDIR(found.st_mode)
            if is_directory:
                parts.setdefault(entry.name, []).append(path)
            if not is_directory or is_opaque(str(path)):
                hidden.add(entry.name)
            if not is_whiteout(found):
                top.setdefault(entry.name, (path, found))
    for name, (path, found) in top.items():
        yield path, found, parts.get(name, ())
