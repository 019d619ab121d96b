"""A tar's members, listed without reading what they hold."""

import io

import pytest

from runner.storage.tar.errors import InvalidArchive
from runner.storage.tar.reader import MAX_EXTENSION_BYTES
from runner.storage.tar.tar_file import members
from tests.support.runner.archives.tar_entries import archive, block, entry, gnu_long, pax


class CountingFile(io.BytesIO):
    """A file that counts the bytes read from it."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        self.count += len(content)
        return content


def test_each_member_is_found_where_its_content_is() -> None:
    large = b"A" * (1 << 20)
    content = archive(
        entry(b"first", content=b"1"),
        pax({b"path": b"n" * 300}),
        entry(b"x", content=large),
        entry(b"last", content=b"last"),
    )
    file = CountingFile(content)

    found = {member.name: (offset, member.size) for member, offset in members(file)}

    assert set(found) == {b"first", b"n" * 300, b"last"}
    for name, expected in ((b"first", b"1"), (b"n" * 300, large), (b"last", b"last")):
        offset, size = found[name]
        assert content[offset : offset + size] == expected
    assert file.count < len(large) // 2


def test_the_last_members_padding_may_be_missing() -> None:
    content = entry(b"x", content=b"content")[: 512 + len(b"content")]

    assert [offset for _, offset in members(io.BytesIO(content))] == [512]


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_a_header_of_gigabytes_is_refused_before_it_is_read(kind: bytes) -> None:
    file = CountingFile(block(b"x", kind, size=1 << 31) + bytes(1 << 20))

    with pytest.raises(InvalidArchive, match=f"at most {MAX_EXTENSION_BYTES} are read"):
        list(members(file))

    assert file.count <= 1 << 16


def test_many_headers_of_one_entry_are_counted_together() -> None:
    headers = [pax({b"key-%d" % n: bytes(1 << 18)}) for n in range(5)]

    with pytest.raises(InvalidArchive, match="extended headers of one entry have"):
        list(members(io.BytesIO(archive(*headers, entry(b"x")))))


def test_headers_of_different_entries_are_not() -> None:
    parts = [part for n in range(5) for part in (gnu_long(b"n" * (1 << 18)), entry(b"x"))]

    assert len(list(members(io.BytesIO(archive(*parts))))) == 5


def test_content_that_is_cut_short_is_refused() -> None:
    with pytest.raises(InvalidArchive, match="cut short: content has 500 bytes, expected 1000"):
        list(members(io.BytesIO(block(b"x", size=1000) + bytes(500))))
