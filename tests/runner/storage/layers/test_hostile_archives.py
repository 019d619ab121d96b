"""Every archive of the hostile corpus is refused for a reason, or stays inside its root."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from oci.layer import InvalidLayer
from runner.storage.files.deletion import remove
from runner.storage.files.walk import walk
from runner.storage.layers.unpack import unpack
from tests.support.runner.archives.hostile import Hostile
from tests.support.runner.archives.hostile_formats import ATTRIBUTES, HEADERS, SPARSE
from tests.support.runner.archives.hostile_links import HARD_LINKS, SPECIAL, WHITEOUTS
from tests.support.runner.archives.hostile_names import NAMES, SYMLINKS

CORPUS = {
    "names": NAMES,
    "symlinks": SYMLINKS,
    "hard links": HARD_LINKS,
    "whiteouts": WHITEOUTS,
    "special files": SPECIAL,
    "headers": HEADERS,
    "attributes": ATTRIBUTES,
    "sparse files": SPARSE,
}

_LETTERS = {
    stat.S_IFDIR: "d",
    stat.S_IFLNK: "l",
    stat.S_IFCHR: "c",
    stat.S_IFBLK: "b",
    stat.S_IFIFO: "p",
}


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A tree beside the root that no archive may touch."""
    canary = tmp_path / "canary"
    (canary / "sub").mkdir(parents=True)
    (canary / "file").write_bytes(b"alive")
    (canary / "sub" / "file").write_bytes(b"alive too")
    (canary / "link").symlink_to("file")
    return canary


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "root"
    root.mkdir()
    yield root
    # pytest's own cleaning cannot remove directories nested as deeply.
    remove(root)


def fingerprint(directory: Path, *, without: Path) -> str:
    """All that can be told of a tree: names, kinds, owners, modes, times, links, content."""
    digest = hashlib.sha256()
    for entry in walk(directory):
        path = directory / os.fsdecode(entry.path)
        if path == without or without in path.parents:
            continue
        found = entry.stat
        content = b""
        if stat.S_ISREG(found.st_mode):
            content = path.read_bytes()
        elif stat.S_ISLNK(found.st_mode):
            content = os.fsencode(os.readlink(path))
        xattrs = os.listxattr(path, follow_symlinks=False)
        # A directory's own times change with the root beside it; not what is in it.
        times = 0 if path == without.parent else found.st_mtime_ns
        owner = (found.st_mode, found.st_uid, found.st_gid, found.st_nlink)
        digest.update(repr((entry.path, owner, times, content, xattrs)).encode())
    return digest.hexdigest()


def shown(path: Path) -> str:
    """Kind and content of a path, in the corpus's notation."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return "-"
    if stat.S_ISREG(found.st_mode):
        return "f:" + path.read_text()
    return _LETTERS[stat.S_IFMT(found.st_mode)]


def all_hostile() -> list[object]:
    return [
        pytest.param(
            hostile,
            id=f"{kind}: {hostile.name}",
            marks=[pytest.mark.needs_root] if hostile.needs_root else [],
        )
        for kind, corpus in CORPUS.items()
        for hostile in corpus
    ]


@pytest.mark.parametrize("chunk_bytes", [1 << 20, 700], ids=["whole", "in pieces"])
@pytest.mark.parametrize("hostile", all_hostile())
def test_a_hostile_archive_is_refused_or_contained(
    hostile: Hostile, chunk_bytes: int, canary: Path, root: Path
) -> None:
    content = hostile.build(os.fsencode(canary))
    chunks = [content[at : at + chunk_bytes] for at in range(0, len(content), chunk_bytes)]
    before = fingerprint(root.parent, without=root)

    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    reason = ""
    try:
        unpack(chunks, descriptor)
    except InvalidLayer as refusal:
        reason = str(refusal)
    finally:
        os.close(descriptor)

    assert fingerprint(root.parent, without=root) == before
    assert bool(reason) == (hostile.refused is not None), reason
    if hostile.refused:
        assert re.search(hostile.refused, reason, re.IGNORECASE), reason
    for path, expected in hostile.shows:
        assert shown(root / path) == expected


def test_the_corpus_is_as_large_as_promised() -> None:
    names = [(kind, hostile.name) for kind, corpus in CORPUS.items() for hostile in corpus]

    assert len(names) >= 120
    assert len(set(names)) == len(names)


def test_unpacking_leaves_no_descriptor_open(root: Path, canary: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))

    for corpus in CORPUS.values():
        for hostile in corpus:
            remove(root)
            root.mkdir()
            descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
            try:
                unpack([hostile.build(os.fsencode(canary))], descriptor)
            except (InvalidLayer, PermissionError):
                pass
            finally:
                os.close(descriptor)

    assert set(os.listdir("/proc/self/fd")) == before
