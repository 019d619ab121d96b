"""ChunkFraming: a chunked body has few bytes that are not content."""

import pytest

from registry.server.http.framing import ChunkFraming
from registry.server.http.request_head import MalformedRequest


def test_chunks_of_any_size_are_within_the_limit() -> None:
    framing = ChunkFraming()

    for size in (1, 10, 100_000) * 1000:
        framing.chunk()
        framing.body(size)
        framing.consumed(len(b"%x\r\n\r\n" % size) + size)


def test_extensions_add_up_until_they_are_refused() -> None:
    framing = ChunkFraming()

    def add_chunk() -> None:
        framing.chunk()
        framing.body(1)
        framing.consumed(len(b"1;%b\r\nx\r\n" % (b"e" * 50)))

    for _ in range(8):
        add_chunk()
    with pytest.raises(MalformedRequest, match="more than 256 bytes of extensions"):
        add_chunk()


def test_a_head_is_no_framing() -> None:
    framing = ChunkFraming()

    framing.consumed_head(b"\r\nPOST / HTTP/1.1\r\nX: " + b"x" * 1000 + b"\r\n\r\n")
    with pytest.raises(MalformedRequest):
        framing.consumed_head(b"POST / HTTP/1.1\r\n\r\n" + b"x" * 1000)
