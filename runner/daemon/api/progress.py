"""Progress responses of pull, push, load and import.

A failure before the first item has its own status; a later one is an error item.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress

from runner.daemon.http.errors import kind, log_unexpected, message
from runner.daemon.http.messages import Response, encode
from runner.schema import Progress, ProgressEvent

Work = Callable[[Progress], Awaitable[tuple[ProgressEvent, ...]]]


async def progress_response(work: Work) -> Response:
    """Run ``work`` and stream the items it reports, then those it returns.

    The work is cancelled when the client disconnects; partial downloads are kept.
    """
    items: asyncio.Queue[ProgressEvent | None] = asyncio.Queue()
    task = asyncio.ensure_future(work(items.put_nowait))
    task.add_done_callback(lambda _: items.put_nowait(None))
    try:
        first = await items.get()
    except asyncio.CancelledError:
        await _cancelled(task)
        raise
    if first is None:
        ends = await task
        return Response(body=b"".join(encode(item.to_json()) for item in ends))

    async def body() -> AsyncGenerator[bytes, None]:
        item: ProgressEvent | None = first
        while item is not None:
            yield encode(item.to_json())
            item = await items.get()
        try:
            ends = await task
        except Exception as error:  # noqa: BLE001 - after the head, an item is the only response
            log_unexpected(error)
            ends = (ProgressEvent(error=message(error), kind=kind(error)),)
        for end in ends:
            yield encode(end.to_json())

    async def close() -> None:
        await _cancelled(task)

    return Response(body=body(), close=close)


async def _cancelled(task: asyncio.Future[tuple[ProgressEvent, ...]]) -> None:
    if not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
