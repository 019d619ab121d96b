"""Diff: what changed in a mounted snapshot, as a layer; and unpack is its inverse."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oci.digest import Digest
from runner.linux.mounts import Mount, mount, unmount
from runner.storage.files.deletion import remove
from runner.storage.files.walk import walk
from runner.storage.layers.diff import changes, diff
from runner.storage.layers.unpack import unpack
from runner.storage.tar.reader import TarReader

pytestmark = pytest.mark.needs_root


@contextmanager
def overlay(lower: list[Path], upper: Path | None) -> Iterator[Path]:
    """The layers mounted, the topmost first; without an upper one, to be read."""
    with tempfile.TemporaryDirectory() as directory:
        place, work, empty = (Path(directory) / name for name in ("place", "work", "empty"))
        for made in (place, work, empty):
            made.mkdir()
        options: tuple[str, ...] = ("index=off", "redirect_dir=off", "metacopy=off")
        if upper is not None:
            # The work directory must be on the upper one's filesystem, and beside it.
            work = upper.with_name(upper.name + "-work")
            work.mkdir()
            options = (*options, f"upperdir={upper}", f"workdir={work}")
        stack = tuple(map(str, (*lower, empty)))
        mount(Mount("overlay", "overlay", options, lower=stack), place)
        try:
            yield place
        finally:
            unmount(place)
            remove(work)


def members(upper: Path) -> dict[str, bytes]:
    """The names in the diff, and their types."""
    return {os.fsdecode(member.name): member.type for member in TarReader(changes(upper))}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "base"
    (base / "etc").mkdir(parents=True)
    (base / "etc" / "my-app-config").write_text("1")
    (base / "etc" / "keep").write_text("1")
    (base / "bin").mkdir()
    (base / "bin" / "my-app-binary").write_text("1")
    (base / "bin" / "my-app-tools").write_text("1")
    return base


@pytest.fixture
def upper(tmp_path: Path) -> Path:
    upper = tmp_path / "upper"
    upper.mkdir(mode=0o755)
    return upper


def test_the_specs_own_example(base: Path, upper: Path) -> None:
    with overlay([base], upper) as place:
        (place / "etc" / "my-app-config").unlink()
        (place / "etc" / "my-app.d").mkdir()
        (place / "etc" / "my-app.d" / "default.cfg").write_text("1")
        (place / "bin" / "my-app-tools").write_text("2")

    assert members(upper) == {
        "./": b"5",
        "bin/": b"5",
        "bin/my-app-tools": b"0",
        "etc/": b"5",
        "etc/.wh.my-app-config": b"0",
        "etc/my-app.d/": b"5",
        "etc/my-app.d/default.cfg": b"0",
    }


def test_whiteouts_come_before_their_siblings(base: Path, upper: Path) -> None:
    with overlay([base], upper) as place:
        (place / "etc" / "a").touch()
        (place / "etc" / "my-app-config").unlink()

    assert list(members(upper)) == ["./", "etc/", "etc/.wh.my-app-config", "etc/a"]


def test_a_directory_made_anew_is_opaque(base: Path, upper: Path) -> None:
    with overlay([base], upper) as place:
        shutil.rmtree(place / "etc")
        (place / "etc").mkdir()

    assert list(members(upper)) == ["./", "etc/", "etc/.wh..wh..opq"]


def test_hard_links_of_the_same_layer_stay_links(upper: Path) -> None:
    with overlay([], upper) as place:
        (place / "a").write_text("1")
        os.link(place / "a", place / "b")

    assert members(upper) == {"./": b"5", "a": b"0", "b": b"1"}


def test_sockets_are_left_out(upper: Path) -> None:
    os.mknod(upper / "socket", stat.S_IFSOCK | 0o600)

    assert members(upper) == {"./": b"5"}


def test_the_same_changes_give_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for name, order in (("one", ("a", "b", "c")), ("other", ("c", "a", "b"))):
        tree = tmp_path / name
        tree.mkdir()
        for file in order:
            (tree / file).write_text(file)
            os.setxattr(tree / file, f"user.{name[0]}", b"1") if name == "one" else None
        made.append(tree)
    for file in ("a", "b", "c"):
        os.removexattr(tmp_path / "one" / file, "user.o")

    digests = {str(Digest.of(b"".join(changes(tree, newest=1000)))) for tree in made}

    assert len(digests) == 1


def test_times_after_the_newest_become_it(upper: Path) -> None:
    (upper / "old").touch()
    (upper / "young").touch()
    os.utime(upper / "old", (500, 500))

    times = {member.name: member.mtime_ns for member in TarReader(changes(upper, newest=1000))}

    assert times == {b"./": 1000 * 10**9, b"old": 500 * 10**9, b"young": 1000 * 10**9}


async def test_the_stream_is_the_pieces_joined(upper: Path) -> None:
    (upper / "large").write_bytes(bytes(range(256)) * 20_000)

    streamed = [chunk async for chunk in diff(upper)]

    assert b"".join(streamed) == b"".join(changes(upper))
    assert len(streamed) > 3


def test_a_tree_deeper_than_paths_may_be_long_is_walked_and_removed(tmp_path: Path) -> None:
    """A container can make it; Python's stack and PATH_MAX must not matter."""
    top = tmp_path / "top"
    top.mkdir()
    current = os.open(top, os.O_RDONLY)
    for _ in range(2500):
        os.mkdir("d" * 10, dir_fd=current)
        below = os.open("d" * 10, os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = below
    os.close(current)

    try:
        walked = sum(1 for _ in walk(top))
    finally:
        remove(top)

    assert walked == 2500
    assert not top.exists()


# One change of a tree: what, where, and a number that makes it different from another.
names = st.sampled_from(["a", "b", "c", "a/a", "a/b", "b/a", "b/c", "a/a/a", "b/c/a", "c/b/a/d"])
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["file", "directory", "symlink", "link", "fifo", "remove", "mode", "xattr"]
        ),
        names,
        names,
        st.integers(0, 3),
    ),
    max_size=12,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=steps, after=steps)
def test_unpack_of_a_diff_gives_the_changed_tree(before: object, after: object) -> None:
    """unpack(diff(a, b), onto=a) == b"""
    with tempfile.TemporaryDirectory() as directory:
        base, upper, layer = (Path(directory) / name for name in ("base", "upper", "layer"))
        for made in (base, upper, layer):
            made.mkdir(mode=0o755)
        _change(base, before)
        with overlay([base], upper) as place:
            _change(place, after)
            wanted = _seen(place)

        root = os.open(layer, os.O_RDONLY | os.O_DIRECTORY)
        unpacked = unpack(changes(upper), root)
        os.close(root)

        assert unpacked.implicit == ()
        assert unpacked.links == ()
        with overlay([layer, base], None) as place:
            assert _seen(place) == wanted


def _change(tree: Path, changes_wanted: object) -> None:
    assert isinstance(changes_wanted, list)
    for kind, name, other, number in changes_wanted:
        path, target = tree / name, tree / other
        if path.parent.is_symlink() or target.parent.is_symlink():
            continue
        try:
            _CHANGES[kind](path, target, number)
        except OSError:
            continue  # there is something else in the way: no change


def _file(path: Path, _target: Path, number: int) -> None:
    if path.is_fifo():
        return  # nobody reads it
    path.write_bytes(b"%d" % number * (1 + 300 * number))
    os.utime(path, (number, number))


def _remove(path: Path, _target: Path, _number: int) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _mode(path: Path, _target: Path, number: int) -> None:
    if not path.is_symlink():
        os.chown(path, number, 7)
        path.chmod(0o700 + number)


_CHANGES: dict[str, Callable[[Path, Path, int], None]] = {
    "file": _file,
    "directory": lambda path, target, number: path.mkdir(mode=0o700 + number),
    "symlink": lambda path, target, number: path.symlink_to("x" * (1 + number)),
    "link": lambda path, target, number: os.link(target, path, follow_symlinks=False),
    "fifo": lambda path, target, number: os.mkfifo(path, 0o600 + number),
    "remove": _remove,
    "mode": _mode,
    "xattr": lambda path, target, number: os.setxattr(
        path, f"user.{number}", b"%d" % number, follow_symlinks=False
    ),
}


def _seen(tree: Path) -> dict[bytes, object]:
    seen: dict[bytes, object] = {}
    for entry in walk(tree):
        found = entry.stat
        kind = stat.S_IFMT(found.st_mode)
        told: list[object] = [kind, found.st_mode, found.st_uid, found.st_gid]
        if kind == stat.S_IFREG:
            told += [int(found.st_mtime), Path(entry.reachable).read_bytes()]
        if kind == stat.S_IFLNK:
            told.append(os.readlink(entry.reachable))
        else:
            names = os.listxattr(entry.reachable)
            told.append({name: os.getxattr(entry.reachable, name) for name in sorted(names)})
        seen[entry.path] = told
    return seen
