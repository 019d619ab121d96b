"""Unpacking a layer: what each kind of entry becomes."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oci.errors import quoted
from oci.layer import InvalidLayer
from runner.storage.files.deletion import remove
from runner.storage.layers.unpack import Limits, Unpacked, unpack
from tests.support.commands import run
from tests.support.runner.archives.tar_entries import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    HARD_LINK,
    SYMLINK,
    archive,
    directory,
    entry,
    gnu_long,
    hard_link,
    old_sparse,
    pax,
    symlink,
)

Apply = Callable[..., Unpacked]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "root"
    root.mkdir()
    yield root
    # pytest's own cleaning cannot remove directories nested as deeply.
    remove(root)


@pytest.fixture
def apply(root: Path) -> Apply:
    def apply(*entries: bytes, limits: Limits | None = None) -> Unpacked:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return unpack([archive(*entries)], descriptor, limits)
        finally:
            os.close(descriptor)

    return apply


def is_whiteout(path: Path) -> bool:
    found = path.lstat()
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def is_opaque(path: Path) -> bool:
    name = "trusted.overlay.opaque" if os.geteuid() == 0 else "user.overlay.opaque"
    return name in os.listxattr(path) and os.getxattr(path, name) == b"y"


def test_files_directories_and_links(root: Path, apply: Apply) -> None:
    unpacked = apply(
        directory(b"./"),
        directory(b"./bin/", 0o751),
        entry(b"./bin/sh", content=b"#!" * 400, mode=0o755, mtime=1_000_000),
        hard_link(b"./bin/ash", b"./bin/sh"),
        symlink(b"./sh", b"/bin/sh"),
    )

    assert (root / "bin" / "sh").read_bytes() == b"#!" * 400
    assert stat.S_IMODE((root / "bin" / "sh").stat().st_mode) == 0o755
    assert (root / "bin" / "sh").stat().st_mtime == 1_000_000
    assert (root / "bin" / "ash").samefile(root / "bin" / "sh")
    assert os.readlink(root / "sh") == "/bin/sh"
    assert stat.S_IMODE((root / "bin").stat().st_mode) == 0o751
    assert (unpacked.members, unpacked.total_bytes, unpacked.implicit) == (5, 800, ())


def test_a_directorys_time_is_not_changed_by_what_comes_into_it(root: Path, apply: Apply) -> None:
    apply(entry(b"d", DIRECTORY, mode=0o755, mtime=5), entry(b"d/a"), entry(b"d/b"))

    assert (root / "d").stat().st_mtime == 5


def test_nanoseconds_come_with_pax(root: Path, apply: Apply) -> None:
    apply(pax({b"mtime": b"12.345678901"}), entry(b"x"))

    assert (root / "x").stat().st_mtime_ns == 12_345_678_901


def test_the_umask_does_not_count(root: Path, apply: Apply) -> None:
    before = os.umask(0o077)
    try:
        apply(entry(b"x", mode=0o666), directory(b"d", 0o777))
    finally:
        os.umask(before)

    assert stat.S_IMODE((root / "x").stat().st_mode) == 0o666
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o777


@pytest.mark.needs_root
def test_a_set_id_file_keeps_its_bits_and_its_owner(root: Path, apply: Apply) -> None:
    apply(entry(b"su", mode=0o6755, uid=1000, gid=2000, content=b"x"))

    found = (root / "su").stat()
    assert (found.st_uid, found.st_gid) == (1000, 2000)
    assert stat.S_IMODE(found.st_mode) == 0o6755


@pytest.mark.needs_root
def test_a_set_group_directory_does_not_pass_its_group_on(root: Path, apply: Apply) -> None:
    apply(entry(b"d", DIRECTORY, mode=0o2775, gid=50), entry(b"d/x", gid=0))

    assert (root / "d").stat().st_gid == 50
    assert (root / "d").stat().st_mode & stat.S_ISGID
    assert (root / "d" / "x").stat().st_gid == 0


@pytest.mark.needs_root
def test_devices_and_fifos(root: Path, apply: Apply) -> None:
    apply(
        entry(b"null", CHARACTER, device=(1, 3), mode=0o666),
        entry(b"disk", BLOCK, device=(259, 70_000), mode=0o660, gid=6),
        entry(b"pipe", FIFO, mode=0o600),
    )

    assert (root / "null").stat().st_rdev == os.makedev(1, 3)
    assert stat.S_IMODE((root / "null").stat().st_mode) == 0o666
    assert (root / "disk").stat().st_rdev == os.makedev(259, 70_000)
    assert (root / "disk").stat().st_gid == 6
    assert stat.S_ISFIFO((root / "pipe").stat().st_mode)


@pytest.mark.needs_root
def test_a_capability_survives_the_change_of_owner(root: Path, apply: Apply) -> None:
    capability = bytes.fromhex("0100000200200000000000000000000000000000")

    apply(
        pax({b"SCHILY.xattr.security.capability": capability}),
        entry(b"ping", mode=0o755, uid=5),
    )

    assert os.getxattr(root / "ping", "security.capability") == capability


@pytest.mark.needs_root
def test_only_admitted_attributes_are_set(root: Path, apply: Apply) -> None:
    attributes = {
        b"SCHILY.xattr.user.mine": b"1\0",
        b"SCHILY.xattr.user.overlay.redirect": b"/",
        b"SCHILY.xattr.trusted.overlay.opaque": b"y",
        b"SCHILY.xattr.trusted.overlay.redirect": b"/etc",
        b"SCHILY.xattr.trusted.other": b"1",
        b"SCHILY.xattr.security.selinux": b"s0",
    }

    apply(pax(attributes), directory(b"d"), pax(attributes), entry(b"x"))

    assert os.listxattr(root / "d") == ["user.mine"]
    assert os.listxattr(root / "x") == ["user.mine"]
    assert os.getxattr(root / "x", "user.mine") == b"1\0"


def test_a_whiteout_is_a_device(root: Path, apply: Apply) -> None:
    apply(entry(b"d/.wh.gone"), entry(b"d/here"))

    assert is_whiteout(root / "d" / "gone")
    assert sorted(os.listdir(root / "d")) == ["gone", "here"]


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_opaque_counts_wherever_it_stands(late: bool, root: Path, apply: Apply) -> None:
    children = [directory(b"d"), entry(b"d/x", content=b"1")]
    mark = [entry(b"d/.wh..wh..opq")]

    apply(*(children + mark if late else mark + children))

    assert is_opaque(root / "d")
    assert (root / "d" / "x").read_bytes() == b"1"


def test_an_opaque_root_is_told(apply: Apply) -> None:
    assert apply(entry(b".wh..wh..opq"), entry(b"x")).opaque_root
    assert not apply(entry(b"y")).opaque_root


def test_a_directory_made_anew_after_its_whiteout_is_opaque(root: Path, apply: Apply) -> None:
    apply(entry(b".wh.d"), directory(b"d", 0o711), entry(b"d/x"), entry(b".wh.e"), entry(b"e/x"))

    assert is_opaque(root / "d")
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o711
    assert is_opaque(root / "e")


def test_a_whiteout_beside_a_directory_of_its_own_layer_makes_it_opaque(
    root: Path, apply: Apply
) -> None:
    apply(directory(b"d"), entry(b"d/x"), entry(b".wh.d"))

    assert is_opaque(root / "d")
    assert (root / "d" / "x").exists()


def test_a_whiteout_below_a_removed_directory_is_nothing_new(root: Path, apply: Apply) -> None:
    unpacked = apply(entry(b".wh.d"), entry(b"d/.wh.x"), entry(b"d/e/.wh..wh..opq"))

    assert is_whiteout(root / "d")
    assert unpacked.implicit == (b"",)


def test_directories_that_no_entry_describes_are_told(root: Path, apply: Apply) -> None:
    unpacked = apply(entry(b"usr/local/x"), entry(b"usr/lib/y"), directory(b"usr/lib"))

    assert unpacked.implicit == (b"", b"usr", b"usr/local")
    assert stat.S_IMODE((root / "usr").stat().st_mode) == 0o755


def test_links_to_a_lower_layer_are_told(root: Path, apply: Apply) -> None:
    unpacked = apply(
        hard_link(b"bin/a", b"/bin/b"),
        hard_link(b"early", b"late"),
        entry(b"late"),
        hard_link(b"settled", b"nowhere"),
        entry(b"settled"),
    )

    assert unpacked.links == ((b"bin/a", b"bin/b"), (b"early", b"late"))
    assert not (root / "bin" / "a").exists()


def test_a_later_entry_replaces_an_earlier_one(root: Path, apply: Apply) -> None:
    apply(
        directory(b"x"),
        entry(b"x/deep/y"),
        entry(b"x", content=b"file"),
        entry(b"z", content=b"1"),
        directory(b"z"),
        entry(b"z/y", content=b"2"),
    )

    assert (root / "x").read_bytes() == b"file"
    assert (root / "z" / "y").read_bytes() == b"2"


def test_a_directory_described_twice_keeps_its_files(root: Path, apply: Apply) -> None:
    apply(directory(b"d", 0o700), entry(b"d/x"), directory(b"d", 0o755))

    assert (root / "d" / "x").exists()
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o755


def test_below_a_symlink_of_the_same_layer(root: Path, apply: Apply) -> None:
    unpacked = apply(directory(b"usr/lib"), symlink(b"lib", b"usr/lib"), entry(b"lib/x"))

    assert (root / "usr" / "lib" / "x").exists()
    assert (root / "lib").is_symlink()
    assert unpacked.implicit == (b"", b"usr")


@pytest.mark.parametrize("kind", [HARD_LINK, SYMLINK, DIRECTORY, FIFO])
def test_a_whiteout_is_one_by_its_name_alone(kind: bytes, root: Path, apply: Apply) -> None:
    apply(entry(b".wh..wh.aufs"), entry(b".wh.gone", kind, linkname=b".wh..wh.aufs"))

    assert is_whiteout(root / "gone")
    assert os.listdir(root) == ["gone"]


def test_files_that_aufs_kept_for_hard_links_become_them(root: Path, apply: Apply) -> None:
    unpacked = apply(
        directory(b".wh..wh.plnk"),
        entry(b".wh..wh.plnk/12.34", content=b"linked", mode=0o640),
        entry(b".wh..wh.plnk/56.78", content=b"of no entry"),
        hard_link(b"d/one", b".wh..wh.plnk/12.34"),
        hard_link(b"two", b"/.wh..wh.plnk/12.34"),
    )

    assert sorted(os.listdir(root)) == ["d", "two"]
    assert (root / "two").read_bytes() == b"linked"
    assert (root / "d/one").stat().st_ino == (root / "two").stat().st_ino
    assert unpacked.links == ()


@pytest.mark.parametrize("target", [b"1.2", b"..", b"1.2/3", b""])
def test_a_hard_link_to_no_file_that_aufs_kept_is_refused(target: bytes, apply: Apply) -> None:
    with pytest.raises(InvalidLayer, match=r"hard link 'one' points to"):
        apply(hard_link(b"one", b".wh..wh.plnk/" + target))


@pytest.mark.parametrize("unknown", [-1, 2**32 - 1])
def test_an_unknown_owner_is_whoever_unpacks(unknown: int, root: Path, apply: Apply) -> None:
    apply(
        entry(b"f", uid=unknown, gid=unknown),
        entry(b"d", DIRECTORY, uid=unknown, gid=unknown),
        pax({b"uid": b"%d" % unknown}),
        entry(b"p"),
    )

    for name in ("f", "d", "p"):
        found = (root / name).stat()
        assert (found.st_uid, found.st_gid) == (os.geteuid(), os.getegid())


@pytest.mark.parametrize("owner", [-2, 2**32])
def test_an_invalid_owner_is_refused(owner: int, apply: Apply) -> None:
    with pytest.raises(InvalidLayer, match="expected 0 to 4294967294"):
        apply(entry(b"f", uid=owner))


@pytest.mark.parametrize("seconds", [-1, -86400 * 365 * 60])
def test_times_before_1970_are_kept(seconds: int, root: Path, apply: Apply) -> None:
    apply(entry(b"f", mtime=seconds), pax({b"mtime": b"%d.5" % seconds}), entry(b"p"))

    assert (root / "f").stat().st_mtime == seconds
    assert (root / "p").stat().st_mtime == seconds - 0.5


def test_holes_stay_holes(root: Path, apply: Apply) -> None:
    apply(old_sparse(b"x", [(1 << 30, 4)], (1 << 30) + 4, b"tail"))

    found = (root / "x").stat()
    assert found.st_size == (1 << 30) + 4
    assert found.st_blocks * 512 < 1 << 20


def test_more_directories_than_may_be_open_at_once(root: Path, apply: Apply) -> None:
    entries = [entry(b"d%d/x" % number) for number in range(1500)]

    apply(*entries, *(entry(b"d%d/y" % number) for number in range(1500)))

    assert len(os.listdir(root)) == 1500
    assert os.listdir(root / "d1499") in (["x", "y"], ["y", "x"])


@pytest.mark.parametrize(
    ("limits", "entries", "reason"),
    [
        (Limits(members=3), [entry(b"%d" % n) for n in range(4)], "has 4 entries of 0"),
        (Limits(members=3), [entry(b"a/b/c/d/x")], "more than 3 implicit"),
        (
            Limits(total_bytes=9),
            [entry(b"a", content=b"12345"), entry(b"b", content=b"12345")],
            "has 2 entries of 10 bytes or more, at most .* of 9 are unpacked",
        ),
        (Limits(file_bytes=4), [entry(b"a", content=b"12345")], "at most 4"),
        (Limits(file_bytes=4), [old_sparse(b"a", [], 5, b"")], "at most 4"),
        (
            Limits(total_bytes=9),
            [old_sparse(b"a", [], 10, b"")],
            "of 10 bytes or more, at most .* of 9 are unpacked",
        ),
    ],
)
def test_limits(apply: Apply, limits: Limits, entries: list[bytes], reason: str) -> None:
    with pytest.raises(InvalidLayer, match=reason):
        apply(*entries, limits=limits)


def test_directories_cannot_be_replaced_for_ever(apply: Apply) -> None:
    entries = [directory(b"x"), entry(b"x")] * 1001

    with pytest.raises(InvalidLayer, match="replaces more than"):
        apply(*entries)


def test_a_refusal_names_the_entry(apply: Apply) -> None:
    with pytest.raises(InvalidLayer, match=r"usr/\.\./\.\."):
        apply(entry(b"usr/../../x"))


def test_a_directory_1500_deep_is_described_to_its_end(root: Path, apply: Apply) -> None:
    unpacked = apply(gnu_long(b"d/" * 1500), directory(b"x", 0o711))

    assert len(unpacked.implicit) == 1500  # the root, and all but the last


@pytest.mark.needs_root
def test_the_tree_is_the_one_gnu_tar_makes(root: Path, tmp_path: Path, apply: Apply) -> None:
    """This machine's own /etc: owners, modes, times, links, as they come."""
    packed = tmp_path / "etc.tar"
    run("tar", "--sort=name", "-C", "/", "-cf", packed, "etc")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    run("tar", "-C", theirs, "-xpf", packed)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)

    unpack([packed.read_bytes()], descriptor)

    os.close(descriptor)
    assert _listing(root) == _listing(theirs)
    run("diff", "-r", "--no-dereference", root, theirs)


def _listing(directory: Path) -> list[bytes]:
    found = run("find", "etc", "-printf", "%p %y %m %U %G %T@ %l %n\n", cwd=directory)
    return sorted(found.splitlines())


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry(b"x", b"Z")], "entry 'x' has unknown type b'Z'"),
        ([entry(b"")], "an entry has no name"),
        ([entry(b"./")], "entry './' would replace the root directory"),
        ([symlink(b"x", b"")], "symlink 'x' points to b''"),
        ([hard_link(b"x", b"/")], "hard link 'x' points to the root directory"),
        ([directory(b"d"), hard_link(b"x", b"d")], "hard link 'x' points to a directory"),
        (
            [entry(b".wh.d"), hard_link(b"x", b"d")],
            "hard link 'x' points to what its layer removes",
        ),
        (
            [hard_link(b"x", b".wh..wh.plnk/1")],
            "hard link 'x' points to '.wh..wh.plnk/1', which its layer does not have",
        ),
        ([entry(b"x", CHARACTER)], "entry 'x' is device 0:0, which overlayfs hides"),
        (
            [entry(b"x", BLOCK, device=(4_096, 0))],
            "entry 'x' is device 4096:0, which Linux does not have",
        ),
        (
            [gnu_long(b"x" * 256), entry(b"x")],
            f"entry {quoted('x' * 256)}: File name too long",
        ),
    ],
)
def test_a_refusal_says_which_part_of_the_entry_is_wrong(
    apply: Apply, entries: list[bytes], message: str
) -> None:
    with pytest.raises(InvalidLayer) as caught:
        apply(*entries)

    assert str(caught.value) == message
