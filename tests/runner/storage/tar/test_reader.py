"""Tar archives: what ours reads and writes, GNU tar and Python's tarfile agree with."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.layer import InvalidLayer
from runner.storage.tar import reader as tar_reader
from runner.storage.tar.errors import Truncated
from runner.storage.tar.headers import header, padding
from runner.storage.tar.reader import Member, TarReader
from tests.support.commands import run
from tests.support.runner.archives.tar_entries import entry, gnu_long, pax

names = st.binary(min_size=1, max_size=300).filter(lambda name: not set(name) & {0})
safe_names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200
)
ids = st.integers(0, 2**32 - 2)
xattrs = st.dictionaries(
    st.text("abcdefghijk.", min_size=1, max_size=20).map(lambda name: "user." + name),
    st.binary(min_size=1, max_size=40),
    max_size=3,
)
members = st.builds(
    Member,
    type=st.sampled_from(
        [
            tar_reader.REGULAR,
            tar_reader.SYMLINK,
            tar_reader.DIRECTORY,
            tar_reader.FIFO,
            tar_reader.BLOCK_DEVICE,
        ]
    ),
    name=names,
    linkname=names,
    mode=st.integers(0, 0o7777),
    uid=ids,
    gid=ids,
    size=st.just(0),
    mtime_ns=st.integers(-(2**33), 2**40).map(lambda seconds: seconds * 10**9),
    device=st.just((0, 0)),
    xattrs=xattrs,
)


@given(st.lists(members, max_size=4))
def test_written_members_are_read(written: list[Member]) -> None:
    archive = b"".join(header(member) for member in written) + bytes(1024)

    assert list(TarReader([archive])) == written


@given(st.lists(st.tuples(names, st.binary(max_size=2000)), max_size=4), st.integers(1, 3000))
def test_content_is_read_whatever_the_chunks(files: list[tuple[bytes, bytes]], size: int) -> None:
    archive = b"".join(
        header(_file(name, len(content))) + content + padding(len(content))
        for name, content in files
    )
    reader = TarReader(archive[at : at + size] for at in range(0, len(archive), size))

    read = [(member.name, b"".join(reader.content())) for member in reader]

    assert read == files


@given(st.lists(st.tuples(names, st.binary(max_size=2000)), max_size=4))
def test_content_may_be_left_unread(files: list[tuple[bytes, bytes]]) -> None:
    archive = b"".join(
        header(_file(name, len(content))) + content + padding(len(content))
        for name, content in files
    )

    assert [member.name for member in TarReader([archive])] == [name for name, _ in files]


@given(safe_names, st.binary(max_size=600), ids, st.integers(0, 2**35))
def test_tarfile_reads_what_we_write(name: str, content: bytes, owner: int, mtime: int) -> None:
    member = Member(
        tar_reader.REGULAR, name.encode(), b"", 0o640, owner, 7, len(content), mtime * 10**9, (0, 0)
    )
    archive = header(member) + content + padding(len(content)) + bytes(1024)

    with tarfile.open(fileobj=io.BytesIO(archive), encoding="utf-8") as theirs:
        (read,) = theirs.getmembers()
        extracted = theirs.extractfile(read)
        assert extracted is not None
        assert extracted.read() == content
    assert (read.name, read.uid, read.gid, read.mode) == (name.rstrip("/"), owner, 7, 0o640)
    assert int(read.mtime) == mtime


@given(
    safe_names,
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.integers(0, 2**21 - 1),
    st.integers(0, 2**33 - 1),
)
def test_we_read_what_tarfile_writes(name: str, form: int, owner: int, mtime: int) -> None:
    archive = io.BytesIO()
    info = tarfile.TarInfo(name)
    info.uid, info.mtime, info.size = owner, mtime, 3
    try:
        with tarfile.open(fileobj=archive, mode="w", format=form, encoding="utf-8") as theirs:
            theirs.addfile(info, io.BytesIO(b"abc"))
    except ValueError:
        return  # ustar has no way to write it
    reader = TarReader([archive.getvalue()])

    (read,) = [(member, b"".join(reader.content())) for member in reader]

    assert (read[0].name, read[0].uid, read[1]) == (name.encode(), owner, b"abc")
    assert read[0].mtime_ns == mtime * 10**9


@given(st.data())
def test_any_bytes_are_read_or_refused(data: st.DataObject) -> None:
    """A valid archive with some bytes changed, or cut."""
    archive = bytearray(
        header(
            Member(tar_reader.REGULAR, b"n" * 120, b"", 0o644, 1, 2, 3, 0, (0, 0), {"user.a": b"1"})
        )
        + b"abc"
        + padding(3)
        + header(_file(b"second", 0))
    )
    for at in data.draw(st.lists(st.integers(0, len(archive) - 1), max_size=6)):
        archive[at] = data.draw(st.integers(0, 255))
    for start in range(0, len(archive), 512):
        if data.draw(st.booleans()):
            block = archive[start : start + 512]
            block[148:156] = b" " * 8
            archive[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    del archive[data.draw(st.integers(0, len(archive))) :]

    try:
        for member in TarReader([bytes(archive)]):
            assert member.size >= 0
    except InvalidLayer as refusal:
        assert str(refusal)


@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "posix"])
def test_gnu_tar_is_read_in_every_format(form: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    long = "long" * (20 if form in {"v7"} else 22)
    (tree / long).write_bytes(b"1" * 700)
    (tree / "link").symlink_to("target" * 10)
    (tree / "directory").mkdir()
    reader = TarReader([run("tar", f"--format={form}", "-C", tree, "-cf", "-", ".")])

    read = {
        member.name: (member.type, member.linkname, b"".join(reader.content())) for member in reader
    }

    assert read == {
        b"./": (tar_reader.DIRECTORY, b"", b""),
        b"./directory/": (tar_reader.DIRECTORY, b"", b""),
        b"./link": (tar_reader.SYMLINK, b"target" * 10, b""),
        b"./" + long.encode(): (tar_reader.REGULAR, b"", b"1" * 700),
    }


@pytest.mark.parametrize("version", ["oldgnu", "0.0", "0.1", "1.0"])
def test_gnu_tars_sparse_files_are_read(version: str, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with open(sparse, "wb") as file:
        for index in range(9):
            file.seek(index * 1_000_000)
            file.write(b"data %d" % index)
        file.truncate(9_500_000)
    form = ["--format=oldgnu"] if version == "oldgnu" else [f"--sparse-version={version}"]
    packed = run("tar", "-S", *form, "-C", tmp_path, "-cf", "-", "sparse")
    if len(packed) > 1_000_000:
        pytest.skip("this filesystem has no holes to find")
    reader = TarReader([packed])
    found = bytearray()

    for member in reader:
        assert member.name == b"sparse"
        found += bytes(member.file_size)
        for offset, pieces in reader.fragments(member):
            content = b"".join(pieces)
            found[offset : offset + len(content)] = content

    assert bytes(found) == sparse.read_bytes()


@pytest.mark.parametrize(
    "end",
    [b"", pax({b"path": b"nothing"}), gnu_long(b"nothing"), pax({b"path": b"n"}) + bytes(1024)],
)
def test_an_archive_may_end_as_others_leave_it(end: bytes) -> None:
    reader = TarReader([entry(b"a", content=b"abc"), end])

    assert [(member.name, b"".join(reader.content())) for member in reader] == [(b"a", b"abc")]


def test_the_last_member_may_lack_its_padding() -> None:
    content = entry(b"a", content=b"abc")[: 512 + 3]

    assert [member.name for member in TarReader([content])] == [b"a"]


def test_a_member_cut_short_is_refused() -> None:
    with pytest.raises(Truncated, match="cut short: content has 2 bytes, expected 3"):
        list(TarReader([entry(b"a", content=b"abc")[: 512 + 2]]))
    with pytest.raises(Truncated, match="cut short: a header has 511 bytes, expected 512"):
        list(TarReader([entry(b"a")[:511]]))


def test_the_same_member_gives_the_same_bytes() -> None:
    one = Member(
        tar_reader.REGULAR, b"n", b"", 1, 2, 3, 4, 0, (0, 0), {"user.a": b"1", "user.b": b"2"}
    )
    other = Member(
        tar_reader.REGULAR, b"n", b"", 1, 2, 3, 4, 0, (0, 0), {"user.b": b"2", "user.a": b"1"}
    )

    assert header(one) == header(other)


def _file(name: bytes, size: int) -> Member:
    return Member(tar_reader.REGULAR, name, b"", 0o644, os.geteuid(), os.getegid(), size, 0, (0, 0))
