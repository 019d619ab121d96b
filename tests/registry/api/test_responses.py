"""BlobResponse: sent by sendfile where possible, and always closed."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

import pytest

from oci.digest import Digest
from oci.ranges import ByteRange
from registry.api.responses import ZERO_COPY, BlobResponse

CONTENT = b"0123456789" * 10
DIGEST = Digest.of(CONTENT)
SCOPE = {"type": "http", "extensions": {ZERO_COPY: {}}}
PARTS = (ByteRange(0, 5), ByteRange(50, 53))


class OpenBlob:
    """A blob in memory; ``file`` only stands for one."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self.size = len(CONTENT)
        self.file = file
        self.is_closed = False

    async def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        for place in range(start, self.size if stop is None else stop, 7):
            yield CONTENT[place : min(place + 7, stop or self.size)]

    async def aclose(self) -> None:
        self.is_closed = True


class Wire:
    """Collects the messages that a server would be sent."""

    def __init__(self, *, breaks_after: int = 1000, is_gone: bool = False) -> None:
        self.messages: list[dict[str, Any]] = []
        self._breaks_after = breaks_after
        self._is_gone = is_gone

    async def receive(self) -> dict[str, Any]:
        if not self._is_gone:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await asyncio.sleep(0)
        if len(self.messages) >= self._breaks_after:
            raise OSError("gone")
        self.messages.append(message)

    @property
    def body(self) -> bytes:
        sent = b""
        for message in self.messages[1:]:
            if message["type"] == ZERO_COPY:
                stop = message["offset"] + message["count"]
                sent += CONTENT[message["offset"] : stop]
            else:
                sent += message["body"]
        return sent


@pytest.mark.parametrize("ranges", [None, (ByteRange(3, 99),), PARTS])
async def test_the_file_and_the_stream_send_the_same_bytes(
    ranges: tuple[ByteRange, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda n: "0" * n)
    by_file, by_stream = Wire(), Wire()

    await BlobResponse(DIGEST, OpenBlob(io.BytesIO()), ranges)(SCOPE, by_file.receive, by_file.send)
    await BlobResponse(DIGEST, OpenBlob(), ranges)(SCOPE, by_stream.receive, by_stream.send)

    assert by_file.body == by_stream.body
    assert by_file.messages[0] == by_stream.messages[0]
    headers = dict(by_file.messages[0]["headers"])
    assert headers[b"content-length"] == str(len(by_file.body)).encode()
    assert any(message["type"] == ZERO_COPY for message in by_file.messages)
    assert all(message["type"] != ZERO_COPY for message in by_stream.messages)


async def test_a_server_without_zero_copy_gets_the_stream() -> None:
    wire = Wire()

    await BlobResponse(DIGEST, OpenBlob(io.BytesIO()))({"type": "http"}, wire.receive, wire.send)

    assert wire.body == CONTENT
    assert all(message["type"] != ZERO_COPY for message in wire.messages)


@pytest.mark.parametrize("file", [None, io.BytesIO()])
@pytest.mark.parametrize("after", [0, 1, 2])
async def test_the_blob_is_closed_when_the_connection_breaks(
    file: BinaryIO | None, after: int
) -> None:
    blob = OpenBlob(file)
    wire = Wire(breaks_after=after)

    with pytest.raises(OSError, match="gone"):
        await BlobResponse(DIGEST, blob, PARTS)(SCOPE, wire.receive, wire.send)

    assert blob.is_closed


async def test_a_client_that_has_gone_is_not_read_to() -> None:
    blob, wire = OpenBlob(), Wire(is_gone=True)

    await BlobResponse(DIGEST, blob)({"type": "http"}, wire.receive, wire.send)

    assert len(wire.body) < len(CONTENT)
    assert blob.is_closed


async def test_an_empty_blob_needs_no_file() -> None:
    blob, wire = OpenBlob(io.BytesIO()), Wire()
    blob.size = 0

    await BlobResponse(DIGEST, blob)(SCOPE, wire.receive, wire.send)

    assert [message["type"] for message in wire.messages] == [
        "http.response.start",
        "http.response.body",
    ]
