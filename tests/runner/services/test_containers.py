import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.errors import BadRequest, Conflict, NoSuchContainer, NoSuchImage, NotFound, NotModified
from runner.linux.mounts import is_mounted
from runner.runtime.errors import CommandNotExecutable, CommandNotFound
from runner.schema import ContainerOptions, MountOption
from runner.services.containers import Condition
from runner.services.lifecycle import State
from runner.storage.records import NameInUse
from tests.support.images import a_busybox_image
from tests.support.runner_containers import BUSYBOX, RunnerContainers

pytestmark = pytest.mark.needs_root


def leftovers(runner: RunnerContainers) -> list[str]:
    """Whatever of containers is still on the disk."""
    places = [runner.root / "containers", runner.root / "snapshots"]
    places += [runner.run_dir / "b", runner.run_dir / "r", runner.run_dir / "exits"]
    return [
        f"{place.name}/{name}"
        for place in places
        if place.exists()
        for name in os.listdir(place)
        if not name.startswith(".")
    ]


async def test_a_container_runs_and_its_output_and_exit_code_are_kept(
    runner: RunnerContainers,
) -> None:
    code, stdout, stderr = await runner.run("sh", "-c", "echo out; echo err >&2; exit 3")

    assert (code, stdout, stderr) == (3, "out\n", "err\n")
    assert leftovers(runner) == []


async def test_a_container_goes_through_its_states(runner: RunnerContainers) -> None:
    seen = []
    container = await runner.create("sleep", "100", name="web")
    seen.append(runner.containers.find("web").state)
    await runner.containers.start("web")
    seen.append(runner.containers.find("web").state)
    await runner.containers.pause("web")
    seen.append(runner.containers.find("web").state)
    await runner.containers.unpause("web")
    await runner.containers.stop("web", timeout=0)
    seen.append(runner.containers.find("web").state)

    assert seen == ["created", "running", "paused", "exited"]
    stopped = runner.containers.find(container)
    assert stopped.exit_code == 137
    assert stopped.pid == 0
    assert stopped.started_at is not None
    assert stopped.finished_at is not None
    assert stopped.started_at <= stopped.finished_at <= datetime.now(UTC)


async def test_verbs_that_make_no_sense_are_refused(runner: RunnerContainers) -> None:
    container = await runner.create("sleep", "100", name="web")
    verbs = runner.containers

    for verb in (verbs.kill, verbs.pause, verbs.unpause):
        with pytest.raises(Conflict, match=r"is not (running|paused)"):
            await verb("web")
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


async def test_a_paused_container_can_be_stopped_and_removed(runner: RunnerContainers) -> None:
    stopped = await runner.start("sleep", "100")
    removed = await runner.start("sleep", "100")
    await runner.containers.pause(stopped)
    await runner.containers.pause(removed)

    await runner.containers.stop(stopped, timeout=0)
    await runner.containers.remove(removed, force=True)

    assert runner.containers.find(stopped).state is State.EXITED
    with pytest.raises(NoSuchContainer):
        runner.containers.find(removed)


async def test_stop_sends_the_containers_signal_and_waits_for_it(runner: RunnerContainers) -> None:
    script = "trap 'echo bye; exit 5' USR1; echo ready; while :; do sleep 0.05; done"
    container = await runner.start("sh", "-c", script, stop_signal="USR1")
    async for _ in runner.containers.logs(container, follow=True):
        break

    await runner.containers.stop(container, timeout=20)

    assert runner.containers.find(container).exit_code == 5
    assert (await runner.output(container))[0] == "ready\nbye\n"


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


async def test_restart_stops_and_starts(runner: RunnerContainers) -> None:
    container = await runner.start("sleep", "100")
    before = runner.containers.find(container).pid

    await runner.containers.restart(container, timeout=0)

    after = runner.containers.find(container)
    assert after.state is State.RUNNING
    assert after.pid not in (0, before)


async def test_a_container_that_removes_itself_leaves_nothing(runner: RunnerContainers) -> None:
    container = await runner.create("sh", "-c", "exit 7", auto_remove=True)
    waiter = await runner.containers.wait(container, Condition.REMOVED)
    events = runner.events.subscribe()

    await runner.containers.start(container)
    status = await waiter.result()

    assert status.code == 7
    assert runner.containers.list() == ()
    assert leftovers(runner) == []
    actions = []
    async for event in events:
        actions.append(event.action)
        if event.action == "destroy":
            break
    assert actions == ["start", "die", "destroy"]


async def test_waiting_for_what_does_not_run_answers_at_once(runner: RunnerContainers) -> None:
    container = await runner.create("false")

    never_ran = await (await runner.containers.wait(container)).result()
    await runner.containers.start(container)
    ended = await (await runner.containers.wait(container)).result()
    again = await (await runner.containers.wait(container)).result()

    assert (never_ran.code, ended.code, again.code) == (0, 1, 1)


async def test_who_waits_for_the_next_exit_is_told_when_it_is_removed_instead(
    runner: RunnerContainers,
) -> None:
    container = await runner.create("true")
    waiter = await runner.containers.wait(container, Condition.NEXT_EXIT)

    await runner.containers.remove(container)

    async with asyncio.timeout(5):
        assert (await waiter.result()).code == 0


@pytest.mark.parametrize(
    ("command", "refusal", "code"),
    [
        (("no-such-program",), CommandNotFound, 127),
        (("/etc",), CommandNotExecutable, 126),
    ],
)
async def test_a_program_that_cannot_run_leaves_the_container_created_with_dockers_code(
    runner: RunnerContainers, command: tuple[str, ...], refusal: type[Exception], code: int
) -> None:
    container = await runner.create(*command)

    with pytest.raises(refusal, match=command[0]):
        await runner.containers.start(container)

    found = runner.containers.find(container)
    assert (found.state, found.exit_code) == (State.CREATED, code)
    assert command[0] in found.error
    assert not is_mounted(runner.run_dir / "r" / container)
    await runner.containers.remove(container)
    assert leftovers(runner) == []


async def test_a_failed_start_of_one_that_removes_itself_removes_it(
    runner: RunnerContainers,
) -> None:
    container = await runner.create("no-such-program", auto_remove=True)
    waiter = await runner.containers.wait(container, Condition.REMOVED)

    with pytest.raises(CommandNotFound):
        await runner.containers.start(container)

    assert (await waiter.result()).code == 127
    assert leftovers(runner) == []


async def test_attaching_before_the_start_misses_nothing(runner: RunnerContainers) -> None:
    container = await runner.create("sh", "-c", "echo one; echo two >&2")
    streams = await runner.containers.attach(container, stdin=False, stdout=True, stderr=False)

    await runner.containers.start(container)
    frames = [frame async for frame in streams.frames()]
    await streams.aclose()

    assert b"".join(frame.content for frame in frames) == b"one\n"


async def test_stdin_reaches_the_program_and_ends(runner: RunnerContainers) -> None:
    container = await runner.create("wc", "-c", open_stdin=True, stdin_once=True)
    streams = await runner.containers.attach(container, stdin=True, stdout=True, stderr=True)
    await runner.containers.start(container)

    await streams.write(b"x" * 100_000)
    await streams.close_stdin()
    frames = [frame async for frame in streams.frames()]
    await streams.aclose()

    assert b"".join(frame.content for frame in frames).strip() == b"100000"


async def test_a_terminal_has_the_size_it_is_given(runner: RunnerContainers) -> None:
    script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done"
    container = await runner.create("sh", "-c", script, tty=True, open_stdin=True)
    streams = await runner.containers.attach(container, stdin=True, stdout=True, stderr=True)
    await runner.containers.start(container)
    frames = streams.frames()
    assert (await anext(frames)).content == b"ready\r\n"

    await runner.containers.resize(container, 33, 77)
    async with asyncio.timeout(20):
        rest = b"".join([frame.content async for frame in frames])

    assert rest == b"33 77\r\n"
    await streams.aclose()


async def test_logs_follow_a_running_container_to_its_end(runner: RunnerContainers) -> None:
    container = await runner.create("sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done")
    logs = runner.containers.logs(container, follow=True)

    async def read() -> str:
        return b"".join([frame.content async for frame in logs]).decode()

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    await runner.containers.start(container)

    async with asyncio.timeout(20):
        assert await reading == "1\n2\n3\n"


async def test_names_are_unique_and_ids_may_be_cut_short(runner: RunnerContainers) -> None:
    first = await runner.create("true", name="web")
    second = await runner.create("true")

    with pytest.raises(NameInUse, match='"web" is already in use'):
        await runner.create("true", name="web")
    await runner.containers.rename(second, "db")
    with pytest.raises(NameInUse):
        await runner.containers.rename("db", "web")

    assert runner.containers.find("web").id == first
    assert runner.containers.find(second[:12]).name == "db"
    with pytest.raises(NoSuchContainer, match="No such container: nobody"):
        runner.containers.find("nobody")
    assert [container.name for container in runner.containers.list()] == ["db", "web"]


async def test_only_one_of_many_gets_a_name(runner: RunnerContainers) -> None:
    attempts = [runner.create("true", name="web") for _ in range(10)]

    outcomes = await asyncio.gather(*attempts, return_exceptions=True)

    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, NameInUse) for outcome in outcomes) == 9
    assert len(leftovers(runner)) == 2, "one container's directory, and its snapshot"


@pytest.mark.parametrize(
    ("options", "refusal", "expected"),
    [
        (ContainerOptions("nothing"), NoSuchImage, "No such image: nothing"),
        (ContainerOptions(BUSYBOX, stop_signal="FOO"), BadRequest, "invalid signal 'FOO'"),
        (ContainerOptions(BUSYBOX, extra_hosts=("x",)), BadRequest, "invalid extra host"),
        (ContainerOptions(BUSYBOX, hostname="a b"), BadRequest, "invalid hostname 'a b'"),
        (ContainerOptions(BUSYBOX, cap_add=("NOPE",)), BadRequest, "NOPE"),
        (
            ContainerOptions(BUSYBOX, mounts=(MountOption("bind", "/no/such/place", "/x"),)),
            BadRequest,
            "bind source path does not exist",
        ),
    ],
)
async def test_what_cannot_start_is_refused_at_create(
    runner: RunnerContainers, options: ContainerOptions, refusal: type[Exception], expected: str
) -> None:
    with pytest.raises(refusal, match=expected):
        await runner.containers.create(options)

    assert runner.containers.list() == ()
    assert leftovers(runner) == []
    assert runner.volumes.list() == ()


async def test_an_image_for_another_platform_is_not_found(runner: RunnerContainers) -> None:
    with pytest.raises(NotFound, match="linux/s390x: the one here is for linux/amd64"):
        await runner.containers.create(ContainerOptions(BUSYBOX), platform="linux/s390x")


async def test_a_user_the_image_does_not_know_is_refused_at_start(
    runner: RunnerContainers,
) -> None:
    container = await runner.create("true", user="nobody-here")

    with pytest.raises(BadRequest, match="unable to find user nobody-here"):
        await runner.containers.start(container)

    assert runner.containers.find(container).exit_code == 128
    assert not is_mounted(runner.run_dir / "r" / container)


async def test_a_container_knows_its_own_names(runner: RunnerContainers) -> None:
    _, stdout, _ = await runner.run(
        *("sh", "-c", "hostname; cat /etc/hostname; grep -c '127.0.0.1.localhost' /etc/hosts;"),
        hostname="box",
        extra_hosts=("db:10.0.0.9",),
    )
    _, hosts, _ = await runner.run("cat", "/etc/hosts", extra_hosts=("db:10.0.0.9",))

    assert stdout == "box\nbox\n1\n"
    assert "10.0.0.9\tdb\n" in hosts


async def test_the_network_is_none_or_the_hosts(runner: RunnerContainers) -> None:
    count = ("sh", "-c", "ls /sys/class/net | wc -l; readlink /proc/self/ns/net")

    _, without, _ = await runner.run(*count)
    _, with_host, _ = await runner.run(*count, network_mode="host")

    own = os.readlink("/proc/self/ns/net")
    assert without.split()[0] == "1"
    assert without.split()[1] != own
    assert with_host.split()[1] == own


async def test_binds_and_tmpfs_are_mounted_as_asked(
    runner: RunnerContainers, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "file").write_text("from outside\n")
    made = tmp_path / "made" / "by" / "us"
    mounts = (
        MountOption("bind", str(shared), "/in"),
        MountOption("bind", str(shared), "/ro", read_only=True),
        MountOption("bind", str(made), "/made", options=("create",)),
        MountOption("tmpfs", "", "/scratch", options=("size=1m",)),
    )

    code, stdout, stderr = await runner.run(
        *("sh", "-c", "cat /in/file; echo x > /in/new; touch /ro/no; touch /made/m; df /scratch"),
        mounts=mounts,
    )

    assert code == 0 or "df" in stderr
    assert stdout.startswith("from outside\n")
    assert "Read-only file system" in stderr
    assert (shared / "new").read_text() == "x\n"
    assert (made / "m").exists()


async def test_what_an_image_has_at_a_volume_is_copied_into_it(runner: RunnerContainers) -> None:
    image = a_busybox_image({"data/": b"", "data/file": b"first\n"}, volumes=["/data"])
    await runner.images.add("with-volume", image)
    options = ContainerOptions(
        "with-volume", command=("sh", "-c", "cat /data/file; echo 2 > /data/two")
    )

    container, _ = await runner.containers.create(options)
    await runner.containers.start(container.id)
    await (await runner.containers.wait(container.id)).result()

    assert (await runner.output(container.id))[0] == "first\n"
    (volume,) = runner.volumes.list()
    assert volume.anonymous
    assert (volume.mountpoint / "two").read_text() == "2\n"
    with pytest.raises(Conflict, match=f"volume is in use - .{container.id}"):
        await runner.volumes.remove(volume.name)
    await runner.containers.remove(container.id, volumes=True)
    assert runner.volumes.list() == ()
    assert not volume.mountpoint.exists()


async def test_a_named_volume_outlives_its_containers(runner: RunnerContainers) -> None:
    mounts = (MountOption("volume", "store", "/data"),)

    await runner.run("sh", "-c", "echo kept > /data/file", mounts=mounts)
    _, stdout, _ = await runner.run("cat", "/data/file", mounts=mounts)

    assert stdout == "kept\n"
    assert runner.volumes.find("store").anonymous is False


async def test_a_hostile_symlink_does_not_lead_copy_up_out_of_the_image(
    runner: RunnerContainers, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("do not copy")
    hostile = a_busybox_image({"data": str(secret)}, volumes=["/data"])
    await runner.images.add("hostile", hostile)

    container, _ = await runner.containers.create(ContainerOptions("hostile"))

    (volume,) = runner.volumes.list()
    assert list(volume.mountpoint.iterdir()) == []
    await runner.containers.remove(container.id, volumes=True)


async def test_top_shows_the_containers_processes_only(runner: RunnerContainers) -> None:
    container = await runner.start("sh", "-c", "sleep 98 & echo ready; sleep 99 & wait")
    async for _ in runner.containers.logs(container, follow=True):
        break

    titles, rows = await runner.containers.top(container)

    commands = sorted(row[titles.index("CMD")] for row in rows)
    assert "sleep 98" in commands
    assert commands[0].startswith("sh -c sleep 98 &")
    assert len(rows) < 4


async def test_prune_removes_what_does_not_run(runner: RunnerContainers) -> None:
    running = await runner.start("sleep", "100")
    idle = await runner.create("true")

    removed, _ = await runner.containers.prune()

    assert removed == (idle,)
    assert [container.id for container in runner.containers.list()] == [running]


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


async def test_many_containers_live_beside_each_other(runner: RunnerContainers) -> None:
    outcomes = await asyncio.gather(
        *(runner.run("sh", "-c", f"echo {n}; exit {n}") for n in range(8))
    )

    assert [(code, stdout) for code, stdout, _ in outcomes] == [(n, f"{n}\n") for n in range(8)]
    assert leftovers(runner) == []
