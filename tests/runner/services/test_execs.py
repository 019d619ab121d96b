import asyncio

import pytest

from runner.errors import BadRequest, Conflict, NoSuchExec
from runner.runtime.contract import StdStream
from runner.runtime.errors import RuntimeRefused
from runner.schema import ExecOptions
from runner.services import execs
from tests.support.runner.runner_containers import RunnerContainers, text_of

pytestmark = pytest.mark.needs_root


async def run(
    runner: RunnerContainers, container: str, options: ExecOptions
) -> tuple[int | None, str, str]:
    exec_id = await runner.execs.create(container, options)
    streams = await runner.execs.start(exec_id)
    assert streams is not None
    async with asyncio.timeout(60):
        frames = [frame async for frame in streams.frames()]
    await streams.aclose()
    code = runner.execs.find(exec_id).exit_code
    return code, text_of(frames), text_of(frames, StdStream.STDERR)


def sh(script: str, **more: object) -> ExecOptions:
    options: dict[str, object] = {"attach_stdout": True, "attach_stderr": True} | more
    return ExecOptions(("sh", "-c", script), **options)  # type: ignore[arg-type]  # a test's own keywords


async def test_a_command_runs_beside_the_first_one(runner: RunnerContainers) -> None:
    container = await runner.start("sleep", "100", env=("A=1",), working_dir="/home")

    outcome = await run(runner, container, sh("echo $A $B; pwd; echo no >&2; exit 4", env=("B=2",)))

    assert outcome == (4, "1 2\n/home\n", "no\n")


async def test_an_exec_may_be_another_user(runner: RunnerContainers) -> None:
    container = await runner.start("sleep", "100", user="alice")

    as_alice = await run(runner, container, sh("id"))
    as_root = await run(runner, container, sh("id -u", user="0"))

    assert as_alice[1].startswith("uid=1000(alice) gid=1000(alice) groups=")
    assert "50(staff)" in as_alice[1]
    assert as_root[1] == "0\n"
    with pytest.raises(BadRequest, match="unable to find user nobody-here"):
        await runner.execs.create(container, sh("id", user="nobody-here"))


async def test_stdin_reaches_it(runner: RunnerContainers) -> None:
    container = await runner.start("sleep", "100")
    exec_id = await runner.execs.create(container, sh("cat", attach_stdin=True))
    streams = await runner.execs.start(exec_id)
    assert streams is not None

    await streams.write(b"through\n")
    await streams.close_stdin()
    async with asyncio.timeout(60):
        frames = [frame async for frame in streams.frames()]
    await streams.aclose()

    assert text_of(frames) == "through\n"


async def test_a_program_that_is_not_there_ends_with_127(runner: RunnerContainers) -> None:
    container = await runner.start("sleep", "100")

    code, stdout, stderr = await run(
        runner,
        container,
        ExecOptions(("no-such-program",), attach_stdout=True, attach_stderr=True),
    )

    assert (code, stdout) == (127, "")
    assert "no-such-program" in stderr


async def test_a_detached_exec_runs_to_its_end_unread(runner: RunnerContainers) -> None:
    container = await runner.start("sleep", "100")
    events = runner.events.subscribe()
    exec_id = await runner.execs.create(container, sh("yes | head -c 500000; exit 6"))

    assert await runner.execs.start(exec_id, detach=True) is None
    async with asyncio.timeout(60):
        async for event in events:
            if event.action == "exec_die":
                break

    assert event.attributes["exitCode"] == "6"
    assert runner.execs.find(exec_id).exit_code == 6
    assert runner.containers.find(container).exec_ids == (exec_id,)


async def test_an_exec_runs_once_and_only_in_what_runs(runner: RunnerContainers) -> None:
    container = await runner.start("sleep", "100")
    exec_id = await runner.execs.create(container, sh("true"))
    unused = await runner.execs.create(container, sh("true"))
    streams = await runner.execs.start(exec_id)
    assert streams is not None
    async for _ in streams.frames():
        continue
    await streams.aclose()

    with pytest.raises(Conflict, match="has already run"):
        await runner.execs.start(exec_id)
    await runner.containers.pause(container)
    with pytest.raises(Conflict, match="is paused, unpause the container before exec"):
        await runner.execs.create(container, sh("true"))
    await runner.containers.stop(container, timeout=0)
    with pytest.raises(Conflict, match="is not running"):
        await runner.execs.create(container, sh("true"))
    with pytest.raises(Conflict, match="is not running"):
        await runner.execs.start(unused)
    with pytest.raises(NoSuchExec):
        runner.execs.find("nothing")


async def test_a_terminal_of_its_own_is_resized(runner: RunnerContainers) -> None:
    container = await runner.start("sleep", "100")
    script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done"
    exec_id = await runner.execs.create(container, sh(script, tty=True, attach_stdin=True))
    streams = await runner.execs.start(exec_id)
    assert streams is not None
    frames = streams.frames()
    assert (await anext(frames)).content == b"ready\r\n"

    await runner.execs.resize(exec_id, 44, 88)
    async with asyncio.timeout(60):
        rest = b"".join([frame.content async for frame in frames])
    await streams.aclose()

    assert rest == b"44 88\r\n"
    with pytest.raises(Conflict, match="is not running"):
        await runner.execs.resize(exec_id, 1, 1)


async def test_execs_work_after_the_daemon_was_restarted(runner: RunnerContainers) -> None:
    container = await runner.start("sleep", "100", env=("A=kept",))
    await runner.containers.close()
    await runner.containers.recover()

    code, stdout, _ = await run(runner, container, sh("echo $A"))

    assert (code, stdout) == (0, "kept\n")


async def test_nothing_waits_for_an_exec_once_they_are_closed(runner: RunnerContainers) -> None:
    """The containers are closed next: an exec that was still watched would tell of them."""
    container = await runner.start("sleep", "100")
    attached = await runner.execs.create(container, sh("sleep 100", attach_stdin=True))
    detached = await runner.execs.create(container, sh("sleep 100"))
    streams = await runner.execs.start(attached)
    assert streams is not None
    assert await runner.execs.start(detached, detach=True) is None
    before = _watching()

    await runner.execs.close()

    assert before == ["Execs._watch_exit", "Execs._watch_exit"]
    assert _watching() == []
    await streams.aclose()


def _watching() -> list[str]:
    """The tasks of services.execs that have not ended."""
    coroutines = [task.get_coro() for task in asyncio.all_tasks()]
    names = [str(getattr(coroutine, "__qualname__", "")) for coroutine in coroutines]
    return sorted(name for name in names if name.startswith(("Execs.", "_drain")))


async def test_an_exec_ends_with_its_process_and_not_with_what_it_leaves_behind(
    runner: RunnerContainers,
) -> None:
    container = await runner.start("sleep", "100")

    outcome = await run(runner, container, sh("sleep 100 & echo said; echo no >&2; exit 3"))

    assert outcome == (3, "said\n", "no\n")


async def test_a_process_that_closes_its_stdin_lives_on(runner: RunnerContainers) -> None:
    container = await runner.start("sleep", "100")
    script = "exec <&-; echo closed; while [ ! -e /go ]; do sleep 0.05; done; echo on; exit 5"
    exec_id = await runner.execs.create(container, sh(script, attach_stdin=True))
    streams = await runner.execs.start(exec_id)
    assert streams is not None
    frames = streams.frames()
    said = [await anext(frames)]

    for _ in range(20):
        await streams.write(b"nobody reads this\n" * 10_000)
    (runner.run_dir / "r" / container / "go").touch()
    async with asyncio.timeout(60):
        said += [frame async for frame in frames]

    assert text_of(said) == "closed\non\n"
    assert runner.execs.find(exec_id).exit_code == 5
    await streams.aclose()


@pytest.mark.parametrize("detach", [True, False], ids=["detached", "attached, and left"])
async def test_a_process_that_nobody_listens_to_any_more_lives_on(
    runner: RunnerContainers, detach: bool
) -> None:
    container = await runner.start("sleep", "100")
    exec_id = await runner.execs.create(container, sh("head -c 1000000 /dev/zero; exit 4"))
    ended = asyncio.create_task(exec_death(runner))
    await asyncio.sleep(0)

    streams = await runner.execs.start(exec_id, detach=detach)
    if streams is not None:
        await streams.aclose()

    async with asyncio.timeout(60):
        await ended
    assert runner.execs.find(exec_id).exit_code == 4


async def exec_death(runner: RunnerContainers) -> None:
    async for event in runner.events.subscribe():
        if event.action == "exec_die":
            return


async def test_an_exec_that_could_not_be_started_has_not_run(
    runner: RunnerContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = await runner.start("sleep", "100")
    exec_id = await runner.execs.create(container, sh("echo late"))

    async def refuse(*_: object, **__: object) -> None:
        raise RuntimeRefused("not now")

    with monkeypatch.context() as refusing:
        refusing.setattr(type(runner.deps.runtime), "exec", refuse)
        with pytest.raises(RuntimeRefused, match="not now"):
            await runner.execs.start(exec_id)

    found = runner.execs.find(exec_id)
    assert (found.running, found.exit_code) == (False, None)
    streams = await runner.execs.start(exec_id)
    assert streams is not None
    assert text_of([frame async for frame in streams.frames()]) == "late\n"


async def test_of_the_execs_that_are_never_started_the_newest_are_kept(
    fake_runner: RunnerContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execs, "MAX_NOT_STARTED", 2)
    container = await fake_runner.start("sleep", "100")
    running = await fake_runner.execs.create(container, ExecOptions(("sleep", "100")))
    await fake_runner.execs.start(running, detach=True)

    created = [
        await fake_runner.execs.create(container, ExecOptions(("sleep", "100"))) for _ in range(5)
    ]

    assert fake_runner.containers.find(container).exec_ids == (running, *created[-2:])
    for gone in created[:-2]:
        with pytest.raises(NoSuchExec):
            await fake_runner.execs.start(gone)
    await fake_runner.execs.start(created[-1], detach=True)
    assert fake_runner.execs.find(created[-1]).running
