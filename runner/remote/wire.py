"""Send requests; read bodies within limits; map HTTP failures to errors."""

import asyncio
import os
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import httpx2

from oci.http import Challenge, InvalidChallenge, parse_challenge
from runner.errors import Kind, Unavailable
from runner.remote.errors import RemoteUntrusted, refusal

MAX_RESPONSE_BYTES = 1024 * 1024
RESPONSE_SECONDS = 60.0
# The lowest acceptable rate of a body, measured over SLOW_SECONDS.
SLOWEST_BYTES_PER_SECOND = 1024
SLOW_SECONDS = 60.0


@asynccontextmanager
async def send(
    pool: httpx2.AsyncClient, request: httpx2.Request, action: str, limit: float | None = None
) -> AsyncIterator[httpx2.Response]:
    """Send a request; yields the response with its body unread.

    Raises Unavailable for a network failure, and if the head is not complete after ``limit``
    seconds.
    """
    authority = request.url.netloc.decode("ascii", "replace")
    try:
        async with asyncio.timeout(limit):
            response = await pool.send(request, stream=True)
    except TimeoutError as error:
        raise Unavailable(f"{authority}: cannot {action}: no answer in {limit} seconds") from error
    except httpx2.HTTPError as error:
        text = f"{authority}: cannot {action}: {describe(error)}"
        raise Unavailable(text, kind=_kind(error)) from error
    try:
        yield response
    finally:
        await response.aclose()


async def check_status(
    host: str, action: str, response: httpx2.Response, expected: Collection[int]
) -> None:
    if response.status_code not in expected:
        raise refusal(host, action, response.status_code, await read_limited(response))


async def read_limited(response: httpx2.Response, limit: int = MAX_RESPONSE_BYTES) -> bytes:
    """Read a short body; RemoteUntrusted if it exceeds ``limit`` bytes."""
    content = bytearray()
    try:
        async with asyncio.timeout(RESPONSE_SECONDS):
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > limit:
                    raise RemoteUntrusted(f"{response.url.host}: answer of more than {limit} bytes")
    except TimeoutError as error:
        raise Unavailable(
            f"{response.url.host}: answer not whole in {RESPONSE_SECONDS} seconds"
        ) from error
    except httpx2.HTTPError as error:
        raise Unavailable(f"{response.url.host}: answer cut off: {describe(error)}") from error
    return bytes(content)


async def body_chunks(
    response: httpx2.Response, now: Callable[[], float] = time.monotonic
) -> AsyncIterator[bytes]:
    """Yield a body's chunks; Unavailable if the registry sends them too slowly.

    Only waits for the registry count, not the consumer's time.
    """
    waited, received, started = 0.0, 0, now()
    async for chunk in response.aiter_raw():
        waited += now() - started
        received += len(chunk)
        if waited >= SLOW_SECONDS:
            if received < waited * SLOWEST_BYTES_PER_SECOND:
                raise Unavailable(
                    f"{response.url.host}: sent {received} bytes in {waited:.0f} seconds, "
                    f"expected {SLOWEST_BYTES_PER_SECOND} a second"
                )
            waited, received = 0.0, 0
        yield chunk
        started = now()


def location(host: str, response: httpx2.Response) -> httpx2.URL:
    """The Location header, absolute or relative to the request."""
    text = response.headers.get("Location", "")
    try:
        if not text:
            raise RemoteUntrusted(f"{host}: {response.status_code} without a Location")
        return response.url.join(text)
    except httpx2.InvalidURL as error:
        raise RemoteUntrusted(f"{host}: Location {text[:200]!r}: {error}") from error


def describe(error: Exception) -> str:
    """A failure of the wire in words; some of httpx2's have none of their own, or hide why."""
    if isinstance(error, httpx2.ConnectError) and (reason := _refused_because(error)):
        return reason
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__


def _refused_because(error: BaseException) -> str:
    """The system's own words for a connection that could not be made; "" where it has none."""
    causes: list[BaseException | None] = [error.__cause__, error.__context__]
    if isinstance(error, BaseExceptionGroup):
        causes += error.exceptions
    for cause in causes:
        if cause is not None and (reason := _refused_because(cause)):
            return reason
    # Those of TLS and of names have numbers of their own.
    if isinstance(error, OSError) and not isinstance(error, (socket.gaierror, ssl.SSLError)):
        return os.strerror(error.errno) if error.errno else ""
    return ""


def _kind(error: Exception) -> Kind | None:
    """The kind of a connection failure: unknown host, or nothing listens."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return Kind.HOST_UNKNOWN
        cause = cause.__cause__ or cause.__context__
    return Kind.REGISTRY_UNREACHABLE if isinstance(error, httpx2.ConnectError) else None


def challenges(response: httpx2.Response) -> tuple[Challenge, ...]:
    """The response's challenges; empty if they cannot be parsed."""
    try:
        return parse_challenge(response.headers.get("WWW-Authenticate", ""))
    except InvalidChallenge:
        return ()
