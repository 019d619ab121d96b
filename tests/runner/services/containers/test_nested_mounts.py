"""Mounts below mounts: no link in a volume takes one to where the kernel shows itself.

The runtime covers the masked paths with the container's own /dev/null.  A mount that lands on
/dev decides what that is; a decoy stands for the kernel's file that it would be a link to.
"""

from pathlib import Path

import pytest

from runner.errors import BadRequest
from runner.schema import ContainerOptions, MountOption
from runner.services.containers.containers import Condition
from tests.support.images import a_busybox_image
from tests.support.runner.runner_containers import RunnerContainers

pytestmark = [pytest.mark.needs_root, pytest.mark.takes(12)]

MASKED = "/proc/timer_list"
DECOY = "decoy"
# The first run: the directory above the inner mount goes away with it, a link takes its place.
PREPARE = (
    "mv /data/x /data/away && mkdir /data/x && ln -s {link} /data/x/sub"
    " && rm -f /data/away/sub/null && ln -s /decoy /data/away/sub/null && echo prepared"
)
SCRIPT = f"if [ -e /data/away ]; then cat {MASKED}; else {PREPARE}; fi"
FILES = {"data/": b"", "data/x/": b"", "data/x/sub/": b"", DECOY: DECOY.encode()}


def mounts_of(container: str) -> list[str]:
    """The mount points on this host that belong to a container."""
    table = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [place for line in table if container in (place := line.split(" ")[4])]


async def run_twice(runner: RunnerContainers, container: str) -> None:
    """Start it, wait for its end, and start it again."""
    waiter = await runner.containers.wait(container, Condition.NEXT_EXIT)
    await runner.containers.start(container)
    await waiter.result()
    assert (await runner.output(container))[0] == "prepared\n"
    waiter = await runner.containers.wait(container, Condition.NEXT_EXIT)
    await runner.containers.start(container)
    await waiter.result()


@pytest.mark.parametrize(
    "link", ["/dev", "/dev/", "../../../dev", "/home/../dev", "/proc", "/sys", "/dev/new", "/"]
)
async def test_a_volume_in_a_volume_does_not_land_where_the_kernel_shows_itself(
    runner: RunnerContainers, link: str
) -> None:
    image = a_busybox_image(FILES, volumes=["/data", "/data/x/sub"])
    await runner.images.add("hostile", image)
    container = await runner.create("sh", "-c", SCRIPT.format(link=link), image="hostile")

    with pytest.raises(BadRequest, match="mount target /data/x/sub leads to /"):
        await run_twice(runner, container)

    assert DECOY not in (await runner.output(container))[0]


@pytest.mark.parametrize("kind", ["bind", "tmpfs", "volume"])
async def test_nor_does_any_other_mount_in_a_volume(
    runner: RunnerContainers, tmp_path: Path, kind: str
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "null").symlink_to("/decoy")
    inner = {
        "bind": MountOption("bind", str(shared), "/data/x/sub"),
        "tmpfs": MountOption("tmpfs", "", "/data/x/sub"),
        "volume": MountOption("volume", "inner", "/data/x/sub"),
    }[kind]
    await runner.images.add("hostile", a_busybox_image(FILES))
    mounts = (MountOption("volume", "outer", "/data"), inner)
    container = await runner.create(
        "sh", "-c", SCRIPT.format(link="/dev"), image="hostile", mounts=mounts
    )

    with pytest.raises(BadRequest, match="mount target /data/x/sub leads to /dev"):
        await run_twice(runner, container)


@pytest.mark.parametrize("link", ["/dev/null", "../dev/null", "/proc/timer_list"])
async def test_the_files_of_etc_do_not_land_there_either(
    runner: RunnerContainers, link: str
) -> None:
    store = MountOption("volume", "store", "/place", options=("nocopy",))
    await runner.run("ln", "-s", link, "/place/hosts", mounts=(store,))
    as_etc = (MountOption("volume", "store", "/etc"),)
    container = await runner.create("cat", MASKED, mounts=as_etc)

    with pytest.raises(BadRequest, match=r"mount target /etc/hosts leads to /(dev|proc)/"):
        await runner.containers.start(container)


async def test_a_link_in_a_volume_to_the_images_own_files_is_followed(
    runner: RunnerContainers,
) -> None:
    script = (
        "if [ -L /data/current ]; then cat /data/1/inner; else"
        " mkdir /data/1; ln -s 1 /data/current; echo prepared; echo kept > /data/seen; fi"
    )
    await runner.images.add("linked", a_busybox_image({"data/": b""}))
    outer = (MountOption("volume", "outer", "/data"),)
    await runner.run("sh", "-c", script, image="linked", mounts=outer)
    inner = (MountOption("volume", "inner", "/data/current"),)
    await runner.run(
        "sh", "-c", "echo inner > /data/current/inner", image="linked", mounts=(*outer, *inner)
    )

    code, stdout, _ = await runner.run("cat", "/data/1/inner", image="linked", mounts=outer + inner)

    assert (code, stdout) == (0, "inner\n")


async def test_a_volume_cannot_be_the_containers_dev(runner: RunnerContainers) -> None:
    as_dev = (MountOption("volume", "store", "/dev"),)

    with pytest.raises(BadRequest, match="invalid mount target /dev: a volume there"):
        await runner.create("cat", MASKED, mounts=as_dev)
    assert [one.name for one in runner.volumes.list()] == []


async def test_a_directory_whose_null_is_a_link_cannot_be_the_containers_dev(
    runner: RunnerContainers, tmp_path: Path
) -> None:
    (tmp_path / "null").symlink_to("/decoy")
    as_dev = (MountOption("bind", str(tmp_path), "/dev"),)
    container = await runner.create("cat", MASKED, mounts=as_dev)

    with pytest.raises(BadRequest, match="/dev/null is a link, expected the device 1:3"):
        await runner.containers.start(container)


async def test_a_mount_in_a_mount_below_dev_follows_no_link(runner: RunnerContainers) -> None:
    outer = (MountOption("volume", "outer", "/dev/outer"),)
    await runner.run("ln", "-s", "/dev", "/dev/outer/inner", mounts=outer)
    inner = (MountOption("volume", "inner", "/dev/outer/inner"),)
    container = await runner.create("cat", MASKED, mounts=outer + inner)

    with pytest.raises(BadRequest, match="mount target /dev/outer/inner has a link in it"):
        await runner.containers.start(container)


async def test_nothing_of_the_mounts_is_left_on_the_host(
    runner: RunnerContainers, tmp_path: Path
) -> None:
    """While it runs its mounts are its own; only the root file system is on the host."""
    shared = tmp_path / "shared"
    shared.mkdir()
    options = ContainerOptions(
        "busybox",
        command=("sleep", "60"),
        mounts=(MountOption("bind", str(shared), "/in"), MountOption("tmpfs", "", "/t")),
    )
    container, _ = await runner.containers.create(options)
    await runner.containers.start(container.id)

    assert len(mounts_of(container.id)) == 1
