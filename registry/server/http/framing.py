"""ChunkFraming: limit the bytes of a chunked body that are not content.

https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1
"""

from registry.server.http.request_head import MalformedRequest

# Sixteen digits of size and two line ends, and some spare bytes.
_BYTES_PER_CHUNK = 24
# Chunk extensions and trailers in the whole body; registry clients send none.
_SPARE_BYTES = 256
_LOOKED_AT_BYTES = 64 * 1024


class ChunkFraming:
    """Compares the bytes given to the parser with the content it returned."""

    def __init__(self) -> None:
        self._overhead = 0

    def chunk(self) -> None:
        self._overhead -= _BYTES_PER_CHUNK

    def body(self, count: int) -> None:
        self._overhead -= count

    def consumed(self, count: int) -> None:
        """Count bytes that the parser has consumed completely; may raise MalformedRequest."""
        self._overhead = max(0, self._overhead + count)
        if self._overhead > _SPARE_BYTES:
            raise MalformedRequest(f"chunks have more than {_SPARE_BYTES} bytes of extensions")

    def consumed_head(self, data: bytes | memoryview) -> None:
        """Called instead of ``consumed`` with the first data of a request, its head included."""
        start = bytes(data[:_LOOKED_AT_BYTES])
        empty_lines = len(start) - len(start.lstrip(b"\r\n"))
        self.consumed(len(data) - (start.find(b"\r\n\r\n", empty_lines) + 4))
