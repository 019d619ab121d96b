"""The verbs beside each other, and each step's failure: on a fake host, without root."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from runner.errors import NoSuchContainer, NotModified
from runner.runtime.errors import RuntimeRefused
from runner.services.containers import starting
from runner.services.containers.containers import Condition, Containers
from runner.services.containers.dependencies import Timing
from runner.services.containers.handle import ContainerHandle
from runner.services.containers.lifecycle import State
from runner.services.containers.operations import NotKilled
from runner.services.containers.starting import StartAborted
from tests.support.runner import programs
from tests.support.runner.fake_runtime import FakeHost
from tests.support.runner.runner_containers import RunnerContainers, leftovers, runner_containers

Ending = Callable[[Containers, str], Awaitable[None]]

ENDINGS: dict[str, Ending] = {
    "kill": lambda containers, name: containers.kill(name),
    "stop": lambda containers, name: containers.stop(name),
    "remove": lambda containers, name: containers.remove(name, force=True),
}


async def told(runner: RunnerContainers, action: str) -> None:
    """Wait for an event, which may have been already."""
    async with asyncio.timeout(20):
        async for event in runner.events.subscribe(since=0):
            if event.action == action:
                return


async def test_of_two_starts_at_once_one_starts_it(fake_runner: RunnerContainers) -> None:
    container = await fake_runner.create(*programs.SLEEP)

    outcomes = await asyncio.gather(
        *(fake_runner.containers.start(container) for _ in range(2)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes if outcome] == [NotModified]
    assert fake_runner.containers.find(container).state is State.RUNNING


async def test_a_forced_removal_does_not_wait_for_a_stop(fake_runner: RunnerContainers) -> None:
    container = await fake_runner.start(*programs.SLEEP)
    stopping = asyncio.create_task(fake_runner.containers.stop(container, timeout=600))
    await told(fake_runner, "kill")

    async with asyncio.timeout(20):
        await fake_runner.containers.remove(container, force=True)
        await stopping

    assert leftovers(fake_runner) == []


async def test_a_stop_that_waits_for_ever_holds_up_nobody(fake_runner: RunnerContainers) -> None:
    container = await fake_runner.start(*programs.READY, stop_timeout=-1)
    stopping = asyncio.create_task(fake_runner.containers.stop(container))
    await told(fake_runner, "kill")

    async with asyncio.timeout(20):
        await fake_runner.containers.rename(container, "renamed")
        await fake_runner.containers.pause("renamed")
        await fake_runner.containers.unpause("renamed")
        await fake_runner.containers.kill("renamed", "USR1")
        await stopping

    assert fake_runner.containers.find("renamed").exit_code == 5


async def test_a_stop_of_an_earlier_run_leaves_the_next_one_alone(
    fake_runner: RunnerContainers,
) -> None:
    container = await fake_runner.start(*programs.READY)
    stopping = asyncio.create_task(fake_runner.containers.stop(container, timeout=600))
    await told(fake_runner, "kill")
    waiter = await fake_runner.containers.wait(container, Condition.NEXT_EXIT)
    await fake_runner.containers.kill(container, "USR1")

    assert (await waiter.result()).code == 5
    await fake_runner.containers.start(container)
    await stopping

    assert fake_runner.containers.find(container).state is State.RUNNING


async def test_removals_at_once_remove_it_once(fake_runner: RunnerContainers) -> None:
    container = await fake_runner.start(*programs.SLEEP)
    events = fake_runner.events.subscribe()

    outcomes = await asyncio.gather(
        *(fake_runner.containers.remove(container, force=True) for _ in range(3)),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes if outcome] == [NoSuchContainer] * 2
    actions = []
    async for event in events:
        actions.append(event.action)
        if event.action == "destroy":
            break
    assert actions == ["kill", "die", "destroy"]
    assert leftovers(fake_runner) == []


@pytest.mark.parametrize("operation", ["create", "start"])
@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_start_that_hangs_is_ended_by_kill_stop_and_remove(
    fake_runner: RunnerContainers, fake_host: FakeHost, operation: str, ending: str
) -> None:
    container = await fake_runner.create(*programs.TRUE)
    fake_host.hanging.add(operation)
    starting = asyncio.create_task(fake_runner.containers.start(container))
    await fake_host.reached.wait()

    async with asyncio.timeout(20):
        await ENDINGS[ending](fake_runner.containers, container)
        with pytest.raises(StartAborted):
            await starting

    assert fake_host.containers == {}
    assert (fake_runner.containers.list() == ()) == (ending == "remove")
    assert not any(one.startswith("b/") for one in leftovers(fake_runner))


async def test_a_start_aborted_after_the_program_began_leaves_an_exited_container(
    fake_runner: RunnerContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting = asyncio.Event()

    async def hang_once_it_runs(handle: ContainerHandle) -> None:
        if handle.state is State.RUNNING:
            connecting.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(starting, "connect_streams", hang_once_it_runs)
    container = await fake_runner.create(*programs.SLEEP)
    start = asyncio.create_task(fake_runner.containers.start(container))
    await connecting.wait()

    async with asyncio.timeout(60):
        await fake_runner.containers.kill(container)
        with pytest.raises(StartAborted):
            await start

    assert fake_runner.containers.find(container).state is State.EXITED
    async with asyncio.timeout(60):
        await fake_runner.containers.remove(container)
    assert leftovers(fake_runner) == []


@pytest.mark.parametrize("operation", ["pause", "resume", "exec", "start", "create"])
async def test_an_operation_that_the_runtime_refuses_changes_nothing(
    fake_runner: RunnerContainers, fake_host: FakeHost, operation: str
) -> None:
    containers = fake_runner.containers
    running = await fake_runner.start(*programs.SLEEP)
    paused = await fake_runner.start(*programs.SLEEP)
    await containers.pause(paused)
    created = await fake_runner.create(*programs.SLEEP)
    before = [one.state for one in containers.list()]
    fake_host.refusing[operation] = RuntimeRefused("no room")

    asked: dict[str, Callable[[], Awaitable[object]]] = {
        "pause": lambda: containers.pause(running),
        "resume": lambda: containers.unpause(paused),
        "exec": lambda: fake_runner.deps.runtime.exec(running, {"args": list(programs.TRUE)}),
        "start": lambda: containers.start(created),
        "create": lambda: containers.start(created),
    }
    with pytest.raises(RuntimeRefused, match="no room"):
        await asked[operation]()

    assert [one.state for one in containers.list()] == before
    fake_host.refusing.clear()
    await containers.start(created)
    await containers.unpause(paused)


async def test_a_process_that_outlives_its_sigkill_is_told(
    tmp_path: Path, fake_host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    timing = Timing(kill_seconds=0.01)
    async with runner_containers(
        tmp_path, tmp_path / "run", fake=fake_host, timing=timing
    ) as runner:
        container = await runner.start(*programs.SLEEP)
        with monkeypatch.context() as patched:
            # As a process does that the kernel holds.
            process = fake_host.containers[container].process
            patched.setattr(process, "kill", lambda: None)

            with pytest.raises(NotKilled, match=r"did not end within 0\.01 seconds"):
                await runner.containers.kill(container)
            assert runner.containers.find(container).state is State.RUNNING

    async with runner_containers(tmp_path, tmp_path / "run", fake=fake_host) as runner:
        await runner.containers.remove(container, force=True)

        assert leftovers(runner) == []


async def test_the_next_daemon_takes_up_what_runs_and_knows_what_ended(
    tmp_path: Path, fake_host: FakeHost
) -> None:
    async with runner_containers(tmp_path, tmp_path / "run", fake=fake_host) as runner:
        lasting = await runner.start(*programs.READY)
        ending = await runner.start(*programs.READY)
        paused = await runner.start(*programs.SLEEP)
        await runner.containers.pause(paused)
    fake_host.containers[ending].process.send(signal.SIGUSR1)
    await fake_host.containers[ending].process.ended

    async with runner_containers(tmp_path, tmp_path / "run", fake=fake_host) as runner:
        states = {one: runner.containers.find(one).state for one in (lasting, paused)}
        status = await (await runner.containers.wait(ending)).result()
        await runner.containers.stop(lasting, signal="USR1", timeout=-1)

        assert states == {lasting: State.RUNNING, paused: State.PAUSED}
        assert status.code == 5
        assert runner.containers.find(lasting).exit_code == 5
        assert (await runner.output(ending))[0] == "ready\nbye\n"


async def test_a_start_sweeps_the_snapshots_of_containers_that_are_gone_and_no_others(
    tmp_path: Path, fake_host: FakeHost
) -> None:
    async with runner_containers(tmp_path, tmp_path / "run", fake=fake_host) as runner:
        container = await runner.create(*programs.TRUE)
        for key in ("f" * 64, "build.1"):
            await runner.deps.snapshotter.prepare(key, [])

    async with runner_containers(tmp_path, tmp_path / "run", fake=fake_host) as runner:
        kept = await runner.deps.snapshotter.keys()

    assert sorted(kept) == sorted((container, "build.1"))
