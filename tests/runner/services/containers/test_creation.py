"""Create: names, and what is refused before anything is made."""

import asyncio
import os
from typing import Any

import pytest

from runner.errors import BadRequest, Conflict, NoSuchContainer, NoSuchImage, NotFound
from runner.schema import ContainerOptions, MountOption
from runner.services.volumes.volumes import Volume
from runner.storage.records.contract import NameInUse
from tests.support.mounts import is_mounted
from tests.support.runner.runner_containers import BUSYBOX, RunnerContainers, leftovers

pytestmark = pytest.mark.needs_root


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
        (
            ContainerOptions(BUSYBOX, healthcheck={"Interval": 5}),
            BadRequest,
            "only the image's own",
        ),
        (ContainerOptions(BUSYBOX, extra_hosts=("x",)), BadRequest, "invalid extra host"),
        (ContainerOptions(BUSYBOX, hostname="a b"), BadRequest, "invalid hostname 'a b'"),
        (ContainerOptions(BUSYBOX, cap_add=("NOPE",)), BadRequest, "NOPE"),
        (
            ContainerOptions(BUSYBOX, nano_cpus=(os.cpu_count() or 1) * 10**9 + 1),
            BadRequest,
            f"as there are only {os.cpu_count()} CPUs available",
        ),
        (
            ContainerOptions(BUSYBOX, mounts=(MountOption("bind", "/no/such/place", "/x"),)),
            BadRequest,
            "bind source path does not exist",
        ),
    ],
)
async def test_options_that_cannot_start_are_refused_at_create(
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


async def test_a_named_volume_cannot_be_removed_while_its_container_is_made(
    runner: RunnerContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []
    create = runner.volumes.create

    async def and_try_to_remove(*args: Any, **kwargs: Any) -> Volume:
        made = await create(*args, **kwargs)
        with pytest.raises(Conflict, match="volume is in use"):
            await runner.volumes.remove(made.name)
        await runner.volumes.prune(everything=True)
        refused.append(made.name)
        return made

    monkeypatch.setattr(runner.volumes, "create", and_try_to_remove)
    mounts = (MountOption("volume", "store", "/a"), MountOption("volume", "", "/b"))

    container = await runner.create("true", mounts=mounts)

    names = [mount.volume for mount in runner.containers.find(container).mounts]
    assert names == refused == [volume.name for volume in runner.volumes.list()]


async def test_volumes_of_a_failed_creation_are_let_go_and_removed(
    runner: RunnerContainers,
) -> None:
    mounts = (MountOption("volume", "store", "/a"), MountOption("volume", "", "/b"))
    missing = MountOption("bind", "/no/such/place", "/x")

    with pytest.raises(BadRequest):
        await runner.create("true", mounts=(*mounts, missing))

    assert [volume.name for volume in runner.volumes.list()] == ["store"]
    await runner.volumes.remove("store")


async def test_a_container_is_known_although_its_client_has_gone(
    runner: RunnerContainers,
) -> None:
    making = asyncio.create_task(runner.create("true", name="web"))
    await asyncio.sleep(0)

    making.cancel()
    await asyncio.gather(making, return_exceptions=True)

    # It waits for what is under way.
    await runner.containers.close()
    assert [one.name for one in runner.containers.list()] == ["web"]
