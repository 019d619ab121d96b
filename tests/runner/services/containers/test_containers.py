import asyncio
import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from runner.errors import BadRequest, Conflict, NoSuchContainer, NotModified
from runner.runtime.errors import CommandNotExecutable, CommandNotFound, RuntimeRefused
from runner.services.containers import removal, supervisor
from runner.services.containers.containers import Condition
from runner.services.containers.lifecycle import State
from runner.storage.files.deletion import remove
from tests.support.mounts import is_mounted
from tests.support.runner import programs
from tests.support.runner.fake_runtime import FakeHost
from tests.support.runner.runner_containers import RunnerContainers, leftovers, runner_containers


async def test_a_container_runs_and_its_output_and_exit_code_are_kept(
    any_runner: RunnerContainers,
) -> None:
    code, stdout, stderr = await any_runner.run(*programs.BOTH)

    assert (code, stdout, stderr) == (3, "out\nno newline", "err\n")
    assert leftovers(any_runner) == []


async def test_a_container_goes_through_its_states(any_runner: RunnerContainers) -> None:
    seen = []
    container = await any_runner.create("sleep", "100", name="web")
    seen.append(any_runner.containers.find("web").state)
    await any_runner.containers.start("web")
    seen.append(any_runner.containers.find("web").state)
    await any_runner.containers.pause("web")
    seen.append(any_runner.containers.find("web").state)
    await any_runner.containers.unpause("web")
    await any_runner.containers.stop("web", timeout=0)
    seen.append(any_runner.containers.find("web").state)

    assert seen == ["created", "running", "paused", "exited"]
    stopped = any_runner.containers.find(container)
    assert stopped.exit_code == 137
    assert stopped.pid == 0
    assert stopped.started_at is not None
    assert stopped.finished_at is not None
    assert stopped.started_at <= stopped.finished_at <= datetime.now(UTC)


async def test_verbs_that_make_no_sense_are_refused(any_runner: RunnerContainers) -> None:
    container = await any_runner.create("sleep", "100", name="web")
    verbs = any_runner.containers

    for operation in (verbs.kill, verbs.pause, verbs.unpause):
        with pytest.raises(Conflict, match=r"is not (running|paused)"):
            await operation("web")
    with pytest.raises(NotModified):
        await verbs.stop("web")
    await verbs.start("web")
    with pytest.raises(NotModified, match="already running"):
        await verbs.start("web")
    with pytest.raises(Conflict, match="it is running, stop it before or force the removal"):
        await verbs.remove("web")
    with pytest.raises(Conflict, match="not paused"):
        await verbs.unpause("web")
    await verbs.pause("web")
    with pytest.raises(Conflict, match="already paused"):
        await verbs.pause("web")
    with pytest.raises(Conflict, match="try unpause instead"):
        await verbs.start("web")
    assert verbs.find(container).state is State.PAUSED


async def test_a_paused_container_can_be_stopped_and_removed(any_runner: RunnerContainers) -> None:
    stopped = await any_runner.start("sleep", "100")
    removed = await any_runner.start("sleep", "100")
    await any_runner.containers.pause(stopped)
    await any_runner.containers.pause(removed)

    await any_runner.containers.stop(stopped, timeout=0)
    await any_runner.containers.remove(removed, force=True)

    assert any_runner.containers.find(stopped).state is State.EXITED
    with pytest.raises(NoSuchContainer):
        any_runner.containers.find(removed)


async def test_stop_sends_the_containers_signal_and_waits_for_it(
    any_runner: RunnerContainers,
) -> None:
    container = await any_runner.start(*programs.READY, stop_signal="USR1")
    async for _ in any_runner.streams.logs(container, follow=True):
        break

    await any_runner.containers.stop(container, timeout=60)

    assert any_runner.containers.find(container).exit_code == 5
    assert (await any_runner.output(container))[0] == "ready\nbye\n"


@pytest.mark.needs_root
async def test_a_stopped_container_starts_again_with_what_it_wrote(
    runner: RunnerContainers,
) -> None:
    container = await runner.create("sh", "-c", "cat /seen 2>/dev/null; echo x >> /seen")

    for _ in range(3):
        waiter = await runner.containers.wait(container, Condition.NEXT_EXIT)
        await runner.containers.start(container)
        await waiter.result()

    assert (await runner.output(container))[0] == "x\nx\nx\n"
    assert await runner.containers.changed_bytes(container) > 0


async def test_restart_stops_and_starts(any_runner: RunnerContainers) -> None:
    container = await any_runner.start("sleep", "100")
    before = any_runner.containers.find(container).pid

    await any_runner.containers.restart(container, timeout=0)

    after = any_runner.containers.find(container)
    assert after.state is State.RUNNING
    assert after.pid not in (0, before)


async def test_a_container_that_removes_itself_leaves_nothing(any_runner: RunnerContainers) -> None:
    container = await any_runner.create(*programs.EXIT_7, auto_remove=True)
    waiter = await any_runner.containers.wait(container, Condition.REMOVED)
    events = any_runner.events.subscribe()

    await any_runner.containers.start(container)
    status = await waiter.result()

    assert status.code == 7
    assert any_runner.containers.list() == ()
    assert leftovers(any_runner) == []
    actions = []
    async for event in events:
        actions.append(event.action)
        if event.action == "destroy":
            break
    assert actions == ["start", "die", "destroy"]


async def test_waiting_for_what_does_not_run_answers_at_once(any_runner: RunnerContainers) -> None:
    container = await any_runner.create("false")

    never_ran = await (await any_runner.containers.wait(container)).result()
    await any_runner.containers.start(container)
    ended = await (await any_runner.containers.wait(container)).result()
    again = await (await any_runner.containers.wait(container)).result()

    assert (never_ran.code, ended.code, again.code) == (0, 1, 1)


async def test_a_wait_for_the_next_exit_ends_with_a_removal(
    any_runner: RunnerContainers,
) -> None:
    container = await any_runner.create("true")
    waiter = await any_runner.containers.wait(container, Condition.NEXT_EXIT)

    await any_runner.containers.remove(container)

    async with asyncio.timeout(60):
        assert (await waiter.result()).code == 0


@pytest.mark.parametrize(
    ("command", "refusal", "code"),
    [
        (("no-such-program",), CommandNotFound, 127),
        (("/etc",), CommandNotExecutable, 126),
    ],
)
async def test_a_program_that_cannot_run_leaves_the_container_created_with_dockers_code(
    any_runner: RunnerContainers, command: tuple[str, ...], refusal: type[Exception], code: int
) -> None:
    container = await any_runner.create(*command)

    with pytest.raises(refusal, match=command[0]):
        await any_runner.containers.start(container)

    found = any_runner.containers.find(container)
    assert (found.state, found.exit_code) == (State.CREATED, code)
    assert command[0] in found.error
    assert not is_mounted(any_runner.run_dir / "r" / container)
    await any_runner.containers.remove(container)
    assert leftovers(any_runner) == []


async def test_a_failed_start_of_one_that_removes_itself_removes_it(
    any_runner: RunnerContainers,
) -> None:
    container = await any_runner.create("no-such-program", auto_remove=True)
    waiter = await any_runner.containers.wait(container, Condition.REMOVED)

    with pytest.raises(CommandNotFound):
        await any_runner.containers.start(container)

    assert (await waiter.result()).code == 127
    assert leftovers(any_runner) == []


async def two_sleepers(runner: RunnerContainers) -> str:
    """A container whose shell has become the parent of two other programs."""
    container = await runner.start("sh", "-c", "sleep 98 & sleep 99 & wait")
    async with asyncio.timeout(60):
        # Between fork and exec a child still looks like its shell.
        while True:
            rows = await rows_of(runner, container)
            if sum(row[-1].startswith("sleep") for row in rows) == 2:
                return container
            await asyncio.sleep(0.01)


async def rows_of(runner: RunnerContainers, container: str) -> tuple[tuple[str, ...], ...]:
    _, rows = await runner.containers.top(container)
    return rows


@pytest.mark.needs_root
async def test_top_shows_the_containers_processes_only(runner: RunnerContainers) -> None:
    container = await two_sleepers(runner)

    titles, rows = await runner.containers.top(container)

    commands = sorted(row[titles.index("CMD")] for row in rows)
    assert "sleep 98" in commands
    assert commands[0].startswith("sh -c sleep 98 &")
    assert len(rows) < 4


@pytest.mark.needs_root
async def test_top_shows_the_columns_that_were_asked_for(runner: RunnerContainers) -> None:
    container = await two_sleepers(runner)

    titles, rows = await runner.containers.top(container, ["-eo", "pid,args"])

    assert titles == ("PID", "COMMAND")
    assert "sleep 98" in [row[1] for row in rows]
    assert len(rows) < 4
    for arguments in (["--nonsense"], ["-eo", "args"], ["-eo", "pid=PID,pid"]):
        with pytest.raises(BadRequest, match="top: ps"):
            await runner.containers.top(container, arguments)


async def test_prune_removes_what_does_not_run(any_runner: RunnerContainers) -> None:
    running = await any_runner.start("sleep", "100")
    idle = await any_runner.create("true")

    removed, _ = await any_runner.containers.prune()

    assert removed == (idle,)
    assert [container.id for container in any_runner.containers.list()] == [running]


@pytest.mark.needs_root
async def test_a_verb_goes_to_its_end_when_whoever_asked_has_gone(
    runner: RunnerContainers,
) -> None:
    container = await runner.create("sleep", "100")

    asking = asyncio.create_task(runner.containers.start(container))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(NotModified):
        await runner.containers.start(container)

    assert runner.containers.find(container).state is State.RUNNING


@pytest.mark.needs_root
async def test_many_containers_live_beside_each_other(runner: RunnerContainers) -> None:
    outcomes = await asyncio.gather(
        *(runner.run("sh", "-c", f"echo {n}; exit {n}") for n in range(8))
    )

    assert [(code, stdout) for code, stdout, _ in outcomes] == [(n, f"{n}\n") for n in range(8)]
    assert leftovers(runner) == []


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        ("runtime", "cannot delete container: device or resource busy"),
        ("disk", "Operation not permitted"),
    ],
)
async def test_a_container_that_cannot_be_removed_does_not_keep_the_daemon_from_starting(
    tmp_path: Path,
    fake_host: FakeHost,
    monkeypatch: pytest.MonkeyPatch,
    cause: str,
    reason: str,
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))

    async with runner_containers(tmp_path, tmp_path / "run", fake=fake_host) as runner:
        stuck = await runner.create("true", name="stuck")
        handle = runner.containers.handle(stuck)
        await runner.deps.observe(handle, state=State.REMOVING)
        ended = await runner.create("sleep", "100", name="ended")
        await runner.containers.start(ended)
    fake_host.kill_all()
    with monkeypatch.context() as patches, capture_logs() as logs:
        if cause == "runtime":
            fake_host.refusing["delete"] = RuntimeRefused(reason)
        else:
            patches.setattr(removal, "remove_tree", refuse)

        async with runner_containers(tmp_path, tmp_path / "run", fake=fake_host) as runner:
            waiter = await runner.containers.wait(ended)
            async with asyncio.timeout(60):
                await waiter.result()
            states = {one.name: one.state for one in runner.containers.list()}

    assert states == {"stuck": State.REMOVING, "ended": State.EXITED}
    reported = [each for each in logs if each["event"] == "container not recovered"]
    assert [each["container"] for each in reported] == [stuck]
    assert reason in reported[0]["error"]

    fake_host.refusing.clear()
    async with runner_containers(tmp_path, tmp_path / "run", fake=fake_host) as runner:
        assert [one.name for one in runner.containers.list()] == ["ended"]


async def test_files_without_a_record_that_cannot_be_removed_do_not_keep_the_daemon_from_starting(
    tmp_path: Path, fake_host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_one(path: Path) -> None:
        if path.name == "b" * 64:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        remove(path)

    for letter in "abc":
        (tmp_path / "containers" / (letter * 64)).mkdir(parents=True)
    monkeypatch.setattr(supervisor, "remove", refuse_one)

    with capture_logs() as logs:
        async with runner_containers(tmp_path, tmp_path / "run", fake=fake_host):
            left = os.listdir(tmp_path / "containers")

    assert left == ["b" * 64]
    assert [(each["event"], each["name"]) for each in logs] == [("orphan not removed", "b" * 64)]
