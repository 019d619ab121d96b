"""Mounts and volumes, as running containers see them."""

from pathlib import Path

import pytest

from runner.errors import Conflict
from runner.schema import ContainerOptions, MountOption
from tests.support.images import a_busybox_image
from tests.support.runner.runner_containers import RunnerContainers

pytestmark = pytest.mark.needs_root


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


async def test_an_images_files_at_a_volume_are_copied_into_it(runner: RunnerContainers) -> None:
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
