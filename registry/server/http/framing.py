"""ChunkFraming: how much of a chunked body is not body.

https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1
"""

from registry.server.http.request_head import MalformedRequest

# Sixteen digits of size and two line ends, with some to spare.
_BYTES_PER_CHUNK = 24
# Extensions and trailers, of which no client of a registry sends any, in the whole body.
_SPARE_BYTES = 256
_LOOKED_AT_BYTES = 64 * 1024


class ChunkFraming:
    """Counts what was fed to the parser against what came out of it."""

    def __init__(self) -> None:
        self._overhead = 0

    def chunk(self) -> None:
        self._overhead -= _BYTES_PER_CHUNK

    def body(self, count: int) -> None:
        self._overhead -= count

    def consumed(self, count: int) -> None:
        """Called after the parser has told of everything in ``count`` bytes; may refuse them."""
        self._overhead = max(0, self._overhead + count)
        if self._overhead > _SPARE_BYTES:
            raise MalformedRequest(f"chunks have more than {_SPARE_BYTES} bytes of extensions")

    def consumed_head(self, data: bytes | memoryview) -> None:
        """Called instead of ``consumed`` with the first data of a request, its head included."""
        start = bytes(data[:_LOOKED_AT_BYTES])
        empty_lines = len(start) - len(start.lstrip(b"\r\n"))
        self.consumed(len(data) - (start.find(b"\r\n\r\n", empty_lines) + 4))
