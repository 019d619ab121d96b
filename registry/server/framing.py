"""ChunkFraming: how much of a chunked body is not body.

https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1
"""

from registry.server.heads import MalformedRequest

# A chunk's size, its line ends and 256 bytes of extensions, of which no registry client sends any.
_BYTES_PER_CHUNK = 280


class ChunkFraming:
    """Counts what was fed to the parser against what came out of it."""

    def __init__(self) -> None:
        self._debt = 0

    def chunk(self) -> None:
        self._debt -= _BYTES_PER_CHUNK

    def body(self, count: int) -> None:
        self._debt -= count

    def fed(self, count: int) -> None:
        """Called after the parser has told of everything in ``count`` bytes, or refuses them."""
        self._debt = max(0, self._debt + count)
        if self._debt > _BYTES_PER_CHUNK:
            raise MalformedRequest("a chunk has more than 256 bytes of extensions")

    def began(self, data: bytes | memoryview) -> None:
        """Called in place of ``fed`` with the data that held the head as well."""
        start = bytes(data[: 64 * 1024]).lstrip(b"\r\n")
        head = start.find(b"\r\n\r\n") + 4
        self.fed(len(data) - head - (min(len(data), 64 * 1024) - len(start)))
