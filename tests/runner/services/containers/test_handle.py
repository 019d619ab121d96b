"""ContainerHandle: one container in memory, and its run."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from oci.digest import Digest
from oci.image_config import ImageConfig
from runner.errors import Conflict, NotModified
from runner.schema import ContainerOptions
from runner.services.containers.container import Desired, Observed
from runner.services.containers.handle import ContainerHandle, ContainerPaths, Run
from runner.services.containers.lifecycle import Operation, State
from tests.support.images import an_image

ID = "c" * 64


def a_handle(state: State = State.CREATED, **options: Any) -> ContainerHandle:
    config = ImageConfig.parse(an_image(labels={"team": "blue", "from": "image"}).config)
    asked = ContainerOptions("app", **options)
    now = datetime.now(UTC)
    desired = Desired(now, Digest.of(b""), config, asked, "host", "SIGTERM", 10, ())
    paths = ContainerPaths(Path("/root/c"), Path("/run/b"), Path("/run/r"))
    return ContainerHandle(ID, "web", desired, Observed(state), paths)


async def test_without_a_run_nothing_is_waited_for() -> None:
    handle = a_handle()

    async with asyncio.timeout(60):
        await handle.wait_released()

    assert (handle.monitored, handle.is_starting) == (None, False)


async def test_the_end_of_a_run_wakes_those_who_wait_for_it() -> None:
    handle = a_handle(State.RUNNING)
    run = handle.run = Run()
    waiting = [asyncio.create_task(handle.wait_released()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)

    handle.end_run()
    handle.end_run()

    async with asyncio.timeout(60):
        await asyncio.gather(*waiting)
    assert vars(handle)["run"] is None
    assert run.released.is_set()


async def test_the_end_of_one_run_is_not_the_end_of_the_next() -> None:
    handle = a_handle()
    first = handle.run = Run()
    handle.end_run()

    second = handle.run = Run()

    assert first.released.is_set()
    assert not second.released.is_set()


@pytest.mark.parametrize(("tty", "expected"), [(False, True), (True, False)])
def test_a_pipe_ends_with_its_first_client_and_a_terminal_does_not(
    tty: bool, expected: bool
) -> None:
    assert a_handle(tty=tty, open_stdin=True, stdin_once=True).launch.stdin_once is expected


def test_a_state_refuses_and_allows_operations() -> None:
    assert a_handle(State.CREATED).check(Operation.START) is State.RUNNING
    with pytest.raises(NotModified, match="container web is already running"):
        a_handle(State.RUNNING).check(Operation.START)
    with pytest.raises(Conflict, match=f"container {ID} is not running"):
        a_handle(State.EXITED).check(Operation.EXEC)


def test_a_view_has_the_state_of_its_moment() -> None:
    handle = a_handle()
    before = handle.view()
    handle.name, handle.observed = "db", Observed(State.RUNNING, 17)
    handle.exec_ids.append("e")

    after = handle.view()

    assert (before.name, before.state, before.exec_ids) == ("web", State.CREATED, ())
    assert (after.name, after.state, after.pid, after.exec_ids) == ("db", State.RUNNING, 17, ("e",))


def test_events_have_the_labels_and_the_users_win() -> None:
    handle = a_handle(labels={"from": "user", "name": "label"})

    attributes = handle.attributes(signal="9")

    assert attributes == {
        "team": "blue", "from": "user", "image": "app", "name": "web", "signal": "9",
    }  # fmt: skip


def test_a_handle_survives_its_record() -> None:
    handle = a_handle(State.EXITED)

    again = ContainerHandle.from_record(handle.to_record(), handle.paths)

    assert again.view() == handle.view()
