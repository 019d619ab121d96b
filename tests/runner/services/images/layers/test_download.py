"""LayerDownload: of several downloads of one layer only one is at it."""

import asyncio
from collections.abc import AsyncGenerator

from runner.errors import Unavailable
from runner.schema import ProgressEvent
from runner.services.images.layers.download import LayerDownload
from runner.services.images.progress import PULLING
from tests.support.images import a_layer
from tests.support.runner.runner_images import RunnerImages

LAYER = a_layer({"a": b"a"})


class Source:
    """A blob whose bytes come when the test says so, and the statuses of its download."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.asked = asyncio.Event()
        self.may_send = asyncio.Event()
        self.fails = False
        self.statuses: list[str] = []

    async def fetch(self, offset: int) -> AsyncGenerator[bytes, None]:
        self.asked.set()
        await self.may_send.wait()
        if self.fails:
            raise Unavailable("the registry has gone")
        yield LAYER.blob[offset:]

    def report(self, event: ProgressEvent) -> None:
        self.statuses.append(event.status)
        self.started.set()


async def test_a_layer_is_unpacked_once_after_its_first_download_failed(
    memory_runner: RunnerImages,
) -> None:
    slots = asyncio.Semaphore(3)
    sources = [Source() for _ in range(3)]
    failing, second, third = sources
    failing.fails = True

    def start(source: Source) -> asyncio.Task[None]:
        download = LayerDownload(
            memory_runner.store, LAYER.diff_id, LAYER.descriptor, source.fetch, source.report
        )
        return asyncio.create_task(download.run(slots))

    tasks = [start(failing)]
    await failing.asked.wait()
    tasks.append(start(second))
    failing.may_send.set()
    await second.asked.wait()
    tasks.append(start(third))
    await third.started.wait()
    second.may_send.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(result) for result in results] == [Unavailable, type(None), type(None)]
    assert memory_runner.store.layers.has(LAYER.diff_id)
    assert PULLING.unpacking in second.statuses
    assert third.statuses == [PULLING.started, PULLING.done]
