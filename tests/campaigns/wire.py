"""HTTP/1.1 over one connection: the part that the campaigns' clients need, without product code."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TIMEOUT_SECONDS = 60.0


class Cut(Exception):
    """The connection ended before the answer: nobody knows what became of the request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Refused(Exception):
    """An answer that ends what the client was doing; whether it may be is for others to say."""

    def __init__(self, what: str, answer: Answer) -> None:
        super().__init__(f"{what}: {answer.status} {answer.body[:300]!r}")
        self.answer = answer


class Connection:
    """One keep-alive connection, opened when it is needed; after a Cut, the next is another."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self,
        method: str,
        target: str,
        body: bytes | Sequence[bytes] = b"",
        headers: Mapping[str, str] | None = None,
        *,
        cut_after: int | None = None,
    ) -> Answer:
        """Send, and wait for the answer.  Several chunks of body are sent as such.

        With ``cut_after``, hang up after that many bytes of the body, and raise Cut.
        """
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self._exchange(method, target, body, headers or {}, cut_after)
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise Cut(f"{method} {target}: {type(error).__name__} {error}") from error
        except BaseException:
            self.close()
            raise

    async def _exchange(
        self,
        method: str,
        target: str,
        body: bytes | Sequence[bytes],
        headers: Mapping[str, str],
        cut_after: int | None,
    ) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        reader, writer = self._streams
        framing, sent = framed(body)
        lines = [f"{method} {target} HTTP/1.1", "Host: campaign", framing]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        writer.write(sent[:cut_after])
        await writer.drain()
        if cut_after is not None:
            raise ConnectionError("hung up on purpose")
        answer = await read_answer(reader, method)
        if answer.headers.get("connection") == "close":
            self.close()
        return answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def framed(body: bytes | Sequence[bytes]) -> tuple[str, bytes]:
    """The header that frames the body, and the body as it is sent."""
    if isinstance(body, bytes):
        return f"Content-Length: {len(body)}", body
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in body)
    return "Transfer-Encoding: chunked", chunks + b"0\r\n\r\n"


async def read_answer(reader: asyncio.StreamReader, method: str) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    status = int(first.split(" ")[1])
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if method == "HEAD" or status in (204, 304):
        return Answer(status, headers, b"")
    return Answer(status, headers, await reader.readexactly(int(headers["content-length"])))
