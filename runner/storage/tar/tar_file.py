"""List the members of a tar file without reading their content."""

from collections.abc import Iterator
from typing import BinaryIO, Final

from runner.storage.tar.errors import Truncated
from runner.storage.tar.reader import Member, Stream, TarReader

_READ_BYTES: Final = 1 << 16


def members(file: BinaryIO) -> Iterator[tuple[Member, int]]:
    """Each member with the offset of its content in the file.

    Memory is bounded by MAX_EXTENSION_BYTES, whatever the headers say.  Raises InvalidArchive.
    """
    stream = FileStream(file)
    for member in TarReader(stream):
        missing = stream.position + member.size - stream.size
        if missing > 0:
            raise Truncated(
                f"archive is cut short: content has {member.size - missing} bytes, "
                f"expected {member.size}"
            )
        yield member, stream.position


class FileStream(Stream):
    """A Stream over a file, whose ``skip`` seeks."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(iter(lambda: file.read(_READ_BYTES), b""))
        self._file = file
        self.size = file.seek(0, 2)
        file.seek(0)

    @property
    def position(self) -> int:
        return self._file.tell() - (len(self._chunk) - self._at)

    def skip(self, count: int, padding: int) -> None:
        # The last member's padding may be missing.
        count += padding
        stop = min(self.position + count, self.size)
        if self._at + count <= len(self._chunk):
            self._at += count
        else:
            self._chunk, self._at = b"", 0
            self._file.seek(stop)

    def drain(self) -> None:
        """Read nothing: bytes after the archive are ignored."""
