"""Progress responses: a status for a failure before the first item, an item after it."""

import asyncio
import json
from typing import Any

import pytest

from runner.daemon.api.progress import Work, progress_response
from runner.daemon.http.messages import Response
from runner.errors import Kind, Unavailable
from runner.schema import Progress, ProgressEvent

END = ProgressEvent("done")


def work(*events: ProgressEvent, error: Exception | None = None) -> Work:
    async def run(progress: Progress) -> tuple[ProgressEvent, ...]:
        for event in events:
            progress(event)
            await asyncio.sleep(0)
        if error is not None:
            raise error
        return (END,)

    return run


async def items(response: Response) -> list[Any]:
    if isinstance(response.body, bytes):
        content = response.body
    else:
        content = b"".join([chunk async for chunk in response.body])
    return [json.loads(line) for line in content.splitlines()]


@pytest.mark.parametrize("events", [(), (ProgressEvent("one"),), (ProgressEvent("one"),) * 3])
async def test_items_come_in_their_order_and_the_ends_last(
    events: tuple[ProgressEvent, ...],
) -> None:
    response = await progress_response(work(*events))

    assert await items(response) == [event.to_json() for event in (*events, END)]


async def test_a_failure_before_the_first_item_is_raised() -> None:
    with pytest.raises(Unavailable, match="gone"):
        await progress_response(work(error=Unavailable("gone")))


async def test_a_failure_after_it_is_the_last_item() -> None:
    error = Unavailable("gone", kind=Kind.REGISTRY_UNREACHABLE)

    response = await progress_response(work(ProgressEvent("one"), error=error))

    assert (await items(response))[-1] == {
        "errorDetail": {"message": "gone", "kind": "registry-unreachable"},
        "error": "gone",
    }


async def test_the_work_is_cancelled_when_its_client_is_gone() -> None:
    cancelled = asyncio.Event()

    async def endless(progress: Progress) -> tuple[ProgressEvent, ...]:
        progress(ProgressEvent("begun"))
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return ()

    response = await progress_response(endless)
    assert response.close is not None

    await asyncio.wait_for(response.close(), 60)

    assert cancelled.is_set()
