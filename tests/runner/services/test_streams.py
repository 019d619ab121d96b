"""Streams of containers: attach, logs, and the size of a terminal."""

import asyncio

import pytest

from runner.errors import Conflict, NoSuchContainer
from runner.services.containers.containers import Condition
from tests.support.runner import programs
from tests.support.runner.runner_containers import RunnerContainers


async def test_attaching_before_the_start_misses_nothing(any_runner: RunnerContainers) -> None:
    container = await any_runner.create(*programs.BOTH)
    streams = await any_runner.streams.attach(container, stdout=True, stderr=False)

    await any_runner.containers.start(container)
    frames = [frame async for frame in streams.frames()]
    await streams.aclose()

    assert b"".join(frame.content for frame in frames) == b"out\nno newline"


async def test_stdin_reaches_the_program_and_ends(any_runner: RunnerContainers) -> None:
    container = await any_runner.create(*programs.CAT, open_stdin=True, stdin_once=True)
    streams = await any_runner.streams.attach(container, stdout=True, stderr=True)
    await any_runner.containers.start(container)

    await streams.write(b"x" * 100_000)
    await streams.close_stdin()
    frames = [frame async for frame in streams.frames()]
    await streams.aclose()

    assert b"".join(frame.content for frame in frames) == b"x" * 100_000


async def test_a_terminal_has_the_size_it_is_given(any_runner: RunnerContainers) -> None:
    container = await any_runner.create(*programs.SIZE, tty=True, console_size=(20, 70))
    streams = await any_runner.streams.attach(container, stdout=True, stderr=True)
    await any_runner.containers.start(container)
    frames = streams.frames()
    assert (await anext(frames)).content == b"20 70\r\n"

    await any_runner.streams.resize(container, 33, 77)
    async with asyncio.timeout(20):
        assert (await anext(frames)).content == b"33 77\r\n"

    await streams.aclose()


@pytest.mark.needs_root
async def test_logs_follow_a_running_container_to_its_end(runner: RunnerContainers) -> None:
    container = await runner.create("sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done")
    logs = runner.streams.logs(container, follow=True)

    async def read() -> str:
        return b"".join([frame.content async for frame in logs]).decode()

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    await runner.containers.start(container)

    async with asyncio.timeout(60):
        assert await reading == "1\n2\n3\n"


async def test_attach_to_a_paused_container_is_refused(any_runner: RunnerContainers) -> None:
    container = await any_runner.start("sleep", "100")
    await any_runner.containers.pause(container)

    with pytest.raises(Conflict, match="is paused, unpause the container before attach"):
        await any_runner.streams.attach(container, stdout=True, stderr=True)


async def test_attach_with_logs_alone_ends_after_them(any_runner: RunnerContainers) -> None:
    container = await any_runner.create(*programs.BOTH)
    waiter = await any_runner.containers.wait(container, Condition.NEXT_EXIT)
    await any_runner.containers.start(container)
    await waiter.result()

    streams = await any_runner.streams.attach(
        container, stdout=False, stderr=True, stream=False, logs=True
    )

    assert [frame.content async for frame in streams.frames()] == [b"err\n"]


async def test_logs_of_an_unknown_container_are_refused_at_once(
    any_runner: RunnerContainers,
) -> None:
    with pytest.raises(NoSuchContainer):
        any_runner.streams.logs("nobody")
