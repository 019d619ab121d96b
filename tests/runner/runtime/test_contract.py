"""The contracts OCIRuntime and Monitor, on every implementation: runc with conmon, and fakes."""

import asyncio
import os
import signal
import time
from dataclasses import replace
from typing import Any

import pytest

from runner.linux.inotify import FileWatch
from runner.runtime.contract import ContainerState, StdStream, Streams
from runner.runtime.errors import (
    CommandNotExecutable,
    CommandNotFound,
    ContainerUnknown,
    NotRunning,
    RuntimeRefused,
)
from tests.runner.runtime.conftest import Box, Engine
from tests.support.runner import programs
from tests.support.runner.streams import collected, until

OUT, ERR = StdStream.STDOUT, StdStream.STDERR


async def started(engine: Engine, *command: str, **options: Any) -> tuple[Box, Streams]:
    """A running container, and its streams from the beginning."""
    box = await engine.create(*command, **options)
    streams = await box.monitored.attach()
    await engine.runtime.start(box.id)
    return box, streams


@pytest.mark.parametrize(
    ("command", "code"), [(programs.TRUE, 0), (programs.FALSE, 1), (programs.EXIT_7, 7)]
)
async def test_a_container_ends_with_its_own_code(
    any_engine: Engine, command: programs.Command, code: int
) -> None:
    box = await any_engine.run(*command)

    status = await box.wait()

    assert (status.code, status.oom_killed, status.error) == (code, False, "")
    assert abs(status.finished_at.timestamp() - time.time()) < 60
    assert await box.wait() == status
    assert box.monitored.pid == 0


async def test_a_sigkill_ends_it_with_137_and_nothing_can_be_sent_to_it_any_more(
    any_engine: Engine,
) -> None:
    box = await any_engine.run(*programs.SLEEP)
    assert box.monitored.pid > 0

    box.monitored.signal(signal.SIGKILL)

    assert (await box.wait()).code == 128 + signal.SIGKILL
    with pytest.raises(NotRunning, match="is not running"):
        box.monitored.signal(signal.SIGKILL)


async def test_a_signal_is_the_programs_to_trap_and_otherwise_ignored(any_engine: Engine) -> None:
    box, streams = await started(any_engine, *programs.READY)
    frames = streams.frames()
    await until(frames, b"ready")

    box.monitored.signal(signal.SIGTERM)
    await any_engine.runtime.kill(box.id, signal.SIGUSR1)

    assert await until(frames, b"bye") == b"bye\n"
    assert (await box.wait()).code == 5
    await streams.aclose()


async def test_the_states_follow_the_runtime_spec(any_engine: Engine) -> None:
    runtime = any_engine.runtime
    box = await any_engine.create(*programs.SLEEP)
    states = [(await runtime.state(box.id)).status]

    await runtime.start(box.id)
    states.append((await runtime.state(box.id)).status)
    await runtime.pause(box.id)
    states.append((await runtime.state(box.id)).status)
    await runtime.resume(box.id)
    states.append((await runtime.state(box.id)).status)
    await runtime.kill(box.id, signal.SIGKILL)
    await box.wait()
    stopped = await runtime.state(box.id)

    created, running, paused = ContainerState.CREATED, ContainerState.RUNNING, ContainerState.PAUSED
    assert states == [created, running, paused, running]
    assert (stopped.status, stopped.pid) == (ContainerState.STOPPED, 0)
    assert stopped.bundle == box.launch.bundle


async def test_an_operation_that_a_state_forbids_is_refused(any_engine: Engine) -> None:
    runtime = any_engine.runtime
    box = await any_engine.run(*programs.SLEEP)

    for verb in (runtime.start, runtime.resume):
        with pytest.raises(RuntimeRefused):
            await verb(box.id)
    with pytest.raises(RuntimeRefused, match="not stopped"):
        await runtime.delete(box.id)
    with pytest.raises(RuntimeRefused):
        await any_engine.monitor.create(box.launch)
    box.monitored.signal(signal.SIGKILL)
    await box.wait()
    for verb in (runtime.start, runtime.pause, runtime.resume):
        with pytest.raises(RuntimeRefused):
            await verb(box.id)
    with pytest.raises(NotRunning):
        await runtime.kill(box.id, signal.SIGTERM)
    with pytest.raises(NotRunning):
        await box.monitored.attach()


async def test_a_paused_container_ends_by_a_signal_once_it_is_resumed(any_engine: Engine) -> None:
    box, streams = await started(any_engine, *programs.READY)
    frames = streams.frames()
    await until(frames, b"ready")
    await any_engine.runtime.pause(box.id)

    box.monitored.signal(signal.SIGUSR1)
    assert (await any_engine.runtime.state(box.id)).status is ContainerState.PAUSED
    await any_engine.runtime.resume(box.id)

    assert (await box.wait()).code == 5
    await streams.aclose()


async def test_a_deleted_container_is_unknown_and_deleting_it_again_is_no_error(
    any_engine: Engine,
) -> None:
    box = await any_engine.run(*programs.TRUE)
    await box.wait()

    await any_engine.runtime.delete(box.id)
    await any_engine.runtime.delete(box.id)

    for verb in (any_engine.runtime.state, any_engine.runtime.start, any_engine.runtime.pause):
        with pytest.raises(ContainerUnknown, match="does not exist"):
            await verb(box.id)


@pytest.mark.parametrize("is_started", [False, True])
async def test_a_forced_deletion_kills(any_engine: Engine, is_started: bool) -> None:
    box = await any_engine.create(*programs.SLEEP)
    if is_started:
        await any_engine.runtime.start(box.id)

    await any_engine.runtime.delete(box.id, force=True)

    assert (await box.wait()).code == 137
    with pytest.raises(ContainerUnknown):
        await any_engine.runtime.state(box.id)


@pytest.mark.parametrize(
    ("program", "refusal"), [("nosuch", CommandNotFound), ("/etc", CommandNotExecutable)]
)
async def test_a_program_that_cannot_run_is_refused_and_leaves_nothing(
    any_engine: Engine, program: str, refusal: type[RuntimeRefused]
) -> None:
    box = await any_engine.create(*programs.TRUE)
    await any_engine.runtime.delete(box.id, force=True)
    process = {**box.spec["process"], "args": [program]}

    with pytest.raises(refusal, match=f'exec: "{program}": ') as refused:
        await any_engine.launch("e" * 64, {**box.spec, "process": process})

    assert "\n" not in str(refused.value)
    with pytest.raises(ContainerUnknown):
        await any_engine.runtime.state("e" * 64)


async def test_output_goes_to_the_log_by_stream(any_engine: Engine) -> None:
    box = await any_engine.run(*programs.BOTH)

    await box.wait()

    assert await box.output() == "out\nno newline"
    assert await box.output(ERR) == "err\n"


async def test_an_attached_client_sees_everything_from_the_start(any_engine: Engine) -> None:
    box, streams = await started(any_engine, *programs.BOTH)
    again = await box.monitored.attach()

    found = await collected(streams)

    assert found == {OUT: b"out\nno newline", ERR: b"err\n"}
    assert (await box.wait()).code == 3
    for one in (streams, streams, again):
        await one.aclose()


async def test_a_client_that_has_left_changes_nothing(any_engine: Engine) -> None:
    box, streams = await started(any_engine, *programs.ONE_TWO, open_stdin=True)
    stays = await box.monitored.attach()
    await until(streams.frames(), b"one")

    await streams.aclose()
    await stays.write(b"\n")

    assert (await collected(stays))[OUT].endswith(b"two\n")
    assert (await box.wait()).code == 6
    await stays.aclose()


async def test_input_reaches_the_process_and_its_end_too(any_engine: Engine) -> None:
    box, streams = await started(any_engine, *programs.CAT, open_stdin=True, stdin_once=True)
    content = os.urandom(300_000).hex().encode()

    await streams.write(content)
    await streams.close_stdin()
    found = await collected(streams)

    assert found[OUT] == content
    assert (await box.wait()).code == 0
    await streams.aclose()


async def test_input_that_is_not_for_once_goes_on_after_a_client(any_engine: Engine) -> None:
    box, first = await started(any_engine, *programs.ONE_TWO, open_stdin=True)
    await first.close_stdin()
    await first.aclose()
    second = await box.monitored.attach()

    await second.write(b"\n")

    assert (await box.wait()).code == 6
    await second.aclose()


async def test_without_open_stdin_there_is_nothing_to_read(any_engine: Engine) -> None:
    box = await any_engine.run(*programs.CAT)

    assert (await box.wait()).code == 0
    assert await box.output() == ""


async def test_a_terminal_has_the_size_it_was_given(any_engine: Engine) -> None:
    box = await any_engine.create(*programs.SIZE, tty=True, console_size=(33, 101))
    streams = await box.monitored.attach()
    await any_engine.runtime.start(box.id)
    frames = streams.frames()
    await until(frames, b"33 101\r\n")

    box.monitored.resize(44, 120)

    await until(frames, b"44 120\r\n")
    await streams.aclose()


async def test_the_log_is_reopened_after_a_rename(any_engine: Engine) -> None:
    box, streams = await started(any_engine, *programs.ONE_TWO, open_stdin=True)
    await until(streams.frames(), b"one")
    old = box.launch.log.with_suffix(".1")

    watch = FileWatch(box.launch.log)
    os.rename(box.launch.log, old)
    box.monitored.reopen_log()
    while not os.access(box.launch.log, os.F_OK):
        await watch.wait()
    watch.close()
    await streams.write(b"\n")
    await box.wait()

    assert b"one" in old.read_bytes()
    assert await box.output() == "two\n"
    await streams.aclose()


async def test_a_container_is_adopted_by_the_next_daemon(any_engine: Engine) -> None:
    box = await any_engine.run(*programs.ONE_TWO, open_stdin=True)
    waiting = asyncio.create_task(box.wait())
    await asyncio.sleep(0)
    box.monitored.close()
    box.monitored.close()

    adopted = await any_engine.monitor.adopt(box.launch)
    streams = await adopted.attach()
    await streams.write(b"go\n")
    status = await adopted.wait()

    assert (status.code, status.error) == (6, "")
    assert adopted.pid == 0
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await streams.aclose()
    adopted.close()


async def test_an_end_while_no_daemon_was_there_is_known_to_the_next(any_engine: Engine) -> None:
    box = await any_engine.run(*programs.EXIT_7)
    await box.wait()
    box.monitored.close()

    adopted = await any_engine.monitor.adopt(box.launch)
    status = await adopted.wait()
    any_engine.monitor.discard_exit(box.id)
    any_engine.monitor.discard_exit(box.id)
    forgotten = await any_engine.monitor.adopt(box.launch)

    assert status.code == 7
    assert (await forgotten.wait()).code == 255
    adopted.close()
    forgotten.close()


async def test_an_end_that_nobody_saw_is_255_with_an_error(any_engine: Engine) -> None:
    box = await any_engine.create(*programs.TRUE)
    never = replace(box.launch, id="f" * 64, bundle=box.launch.bundle.with_name("never"))

    adopted = await any_engine.monitor.adopt(never)
    status = await adopted.wait()

    assert (status.code, adopted.pid) == (255, 0)
    assert "the exit code is not known" in status.error
    with pytest.raises(NotRunning):
        adopted.signal(signal.SIGTERM)
    adopted.close()


async def test_an_exec_has_its_streams_and_its_code(any_engine: Engine) -> None:
    box = await any_engine.run(*programs.SLEEP)
    process = {**box.spec["process"], "args": list(programs.CAT_9)}

    running = await any_engine.runtime.exec(box.id, process, open_stdin=True)
    assert running.pid > 0
    await running.write(b"in and out\n")
    await running.close_stdin()
    found = await collected(running)

    assert found == {OUT: b"in and out\n", ERR: b"err\n"}
    assert [await running.wait(), await running.wait(), running.pid] == [9, 9, 0]
    assert await box.output() == ""
    await running.aclose()


@pytest.mark.parametrize(("program", "code"), [("nosuch", 127), ("/etc", 126)])
async def test_an_exec_that_cannot_run_says_so(any_engine: Engine, program: str, code: int) -> None:
    box = await any_engine.run(*programs.SLEEP)

    running = await any_engine.runtime.exec(box.id, {**box.spec["process"], "args": [program]})
    found = await collected(running)

    assert await running.wait() == code
    assert f'exec: "{program}"' in found[ERR].decode()
    await running.aclose()


async def test_an_exec_on_a_terminal_is_resized(any_engine: Engine) -> None:
    box = await any_engine.run(*programs.SLEEP)
    size = {"height": 20, "width": 70}
    changed = {"terminal": True, "consoleSize": size, "args": list(programs.SIZE)}
    running = await any_engine.runtime.exec(
        box.id, {**box.spec["process"], **changed}, open_stdin=True
    )
    frames = running.frames()
    await until(frames, b"20 70")

    running.resize(55, 140)

    await until(frames, b"55 140")
    await running.aclose()


async def test_an_exec_in_a_stopped_container_is_refused(any_engine: Engine) -> None:
    box = await any_engine.run(*programs.TRUE)
    await box.wait()

    running = await any_engine.runtime.exec(box.id, box.spec["process"])
    found = await collected(running)

    assert await running.wait() == 126
    assert b"cannot exec in a stopped container" in found[ERR]
    await running.aclose()
