"""Headers: read back by Python's tarfile, whatever their values."""

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from runner.storage.tar.headers import header, padding
from runner.storage.tar.reader import Member

NAMES = st.text("abcäö/. -", min_size=1, max_size=300).map(lambda name: f"x{name}x".encode())


def read_back(written: bytes) -> tarfile.TarInfo:
    with tarfile.open(fileobj=io.BytesIO(written + bytes(1024))) as archive:
        (found,) = archive
        return found


@given(
    NAMES, NAMES, st.integers(0, 0o7777), st.integers(0, 2**32 - 2), st.integers(0, 2**32 - 2),
    st.integers(-(2**33), 2**40),
)  # fmt: skip
def test_any_attributes_are_read_back(
    name: bytes, link: bytes, mode: int, uid: int, gid: int, seconds: int
) -> None:
    member = Member(b"2", name, link, mode, uid, gid, 0, seconds * 10**9, (0, 0))

    found = read_back(header(member))

    assert found.issym()
    assert (found.name, found.linkname) == (name.decode(), link.decode())
    assert (found.mode, found.uid, found.gid, found.mtime) == (mode, uid, gid, seconds)


def test_extended_attributes_are_records_in_bytes() -> None:
    xattrs = {"user.b": b"\0\xff=\n", "user.a": b""}
    member = Member(b"5", b"d", b"", 0o755, 0, 0, 0, 0, (0, 0), xattrs)

    written = header(member)

    assert b"SCHILY.xattr.user.b=\0\xff=\n\n" in written
    assert written.index(b"user.a") < written.index(b"user.b")


def test_a_device_keeps_its_numbers() -> None:
    found = read_back(header(Member(b"3", b"null", b"", 0o666, 0, 0, 0, 0, (1, 3))))

    assert (found.ischr(), found.devmajor, found.devminor) == (True, 1, 3)


def test_equal_members_have_equal_headers() -> None:
    one = Member(b"0", b"a" * 200, b"", 0o644, 2**31, 0, 0, 1_500_000_000, (0, 0))

    assert header(one) == header(one)
    assert len(header(one)) % 512 == 0


def test_padding_fills_the_last_block() -> None:
    assert [len(padding(size)) for size in (0, 1, 511, 512, 513)] == [0, 511, 1, 0, 511]
