"""Request, Response and Hijack: the arguments and results of handlers."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qs

from oci.document import InvalidDocument, parse_json
from runner.errors import BadRequest, RunnerError

JSON = "application/json"
RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"

# A create body with every field has about 3 KiB; this is ample for any JSON body.
MAX_JSON_BYTES = 4 * 1024 * 1024
# The deepest body of the Engine API has six.
MAX_DEPTH = 100

_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})


Close = Callable[[], Awaitable[None]]


class TooLarge(RunnerError):
    """The body exceeds its limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Duplex(Protocol):
    """A hijacked connection: bytes in both directions, each closed separately.

    ``read`` returns b"" after the client's half-close; the client may still read.  ``write``
    blocks while the client is slow and raises ConnectionError once it has disconnected.  The
    server closes the connection when the hijack returns.
    """

    async def read(self) -> bytes: ...

    async def write(self, content: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Query:
    """A request's query string.  Of a repeated key the last value counts, except in ``all``."""

    values: Mapping[str, list[str]]

    @classmethod
    def parse(cls, text: str) -> "Query":
        return cls(parse_qs(text, keep_blank_values=True, max_num_fields=1000))

    def text(self, key: str, default: str = "") -> str:
        found = self.values.get(key)
        return found[-1] if found else default

    def all(self, key: str) -> list[str]:
        return list(self.values.get(key, ()))

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Go's and Python's spellings of true; any other value is false."""
        found = self.text(key)
        return found.lower() in _TRUE if found else default

    def integer(self, key: str) -> int | None:
        found = self.text(key)
        if not found:
            return None
        digits = found.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
            raise BadRequest(f"{key}: expected an integer, found {found!r}")
        return int(found)

    def filters(self) -> dict[str, list[str]]:
        """``filters``, with an object of values (the docker command) or a list (docker-py)."""
        found = self.text("filters")
        if not found:
            return {}
        document = _decode(found.encode(), "filters")
        return {key: _filter_values(key, values) for key, values in document.items()}


@dataclass(frozen=True, slots=True)
class Request:
    """One request.  ``path`` lacks the version prefix; ``parameters`` are its named segments."""

    method: str
    path: str
    version: tuple[int, int]
    query: Query
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]
    parameters: Mapping[str, str] = field(default_factory=dict)

    async def json(self) -> dict[str, Any]:
        """Parse the body as a JSON object; {} without a body."""
        content = bytearray()
        async for chunk in self.body:
            content += chunk
            if len(content) > MAX_JSON_BYTES:
                raise TooLarge(f"the body is longer than {MAX_JSON_BYTES} bytes")
        return _decode(bytes(content), "body") if content.strip() else {}


@dataclass(frozen=True, slots=True)
class Response:
    """A response.  A body of bytes has a length; an iterated one is sent chunked.

    ``close`` is called when the response is over, even if none of its body was sent.
    """

    status: HTTPStatus = HTTPStatus.OK
    body: bytes | AsyncGenerator[bytes, None] = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    close: Close | None = None


@dataclass(frozen=True, slots=True)
class Hijack:
    """A response that takes over the connection: 101, or 200 if no upgrade was requested.

    ``close`` is called when it is over, even if ``run`` was never called.
    """

    run: Callable[[Duplex], Awaitable[None]]
    content_type: str = RAW_STREAM
    close: Close | None = None


HandlerResult = Response | Hijack
Application = Callable[[Request], Awaitable[HandlerResult]]


def json_response(document: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(status, encode(document))


def no_content() -> Response:
    return Response(HTTPStatus.NO_CONTENT)


def encode(document: object) -> bytes:
    """Encode a JSON document with a newline, as in the Engine API's streams."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _filter_values(key: str, values: object) -> list[str]:
    if isinstance(values, dict) and all(each is True for each in values.values()):
        return list(values)
    if isinstance(values, list) and all(isinstance(value, str | int) for value in values):
        return [str(value) for value in values]
    if values is None:
        return []
    raise BadRequest(f"filters: {key}: expected a list of strings, found {values!r}")


def _decode(content: bytes, where: str) -> dict[str, Any]:
    try:
        text = content.decode()
        # Half of a surrogate pair in a label could not be encoded in a response.
        document = parse_json(text)
    except UnicodeDecodeError as error:
        raise BadRequest(f"{where}: not JSON: {error}") from error
    except InvalidDocument as error:
        raise BadRequest(f"{where}: {error}") from error
    # Before any other look at it, which may be recursive.
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deeper(document, MAX_DEPTH):
        raise BadRequest(f"{where}: nested too deeply, expected at most {MAX_DEPTH} levels")
    if not isinstance(document, dict):
        raise BadRequest(f"{where}: expected an object, found {type(document).__name__}")
    return document


def _is_deeper(document: object, limit: int) -> bool:
    """Whether arrays and objects are nested in more levels than ``limit``."""
    level: list[Any] = [document]
    for _ in range(limit + 1):
        level = [each for each in level if isinstance(each, dict | list)]
        if not level:
            return False
        level = [
            inner for each in level for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return True
