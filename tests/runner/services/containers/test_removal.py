"""Removals: files, then the record, and all again after a failure."""

import pytest

from runner.schema import MountOption
from runner.services.containers import removal
from runner.services.containers.lifecycle import State
from runner.storage.records.contract import NotRecorded
from tests.support.runner.runner_containers import RunnerContainers, leftovers

FULL = NotRecorded("database or disk is full")


def fail(runner: RunnerContainers, monkeypatch: pytest.MonkeyPatch, times: int) -> list[str]:
    """Let so many removals of a record fail; returns the IDs that were tried."""
    table, tried = runner.deps.records.containers, list[str]()
    remove = table.remove

    async def failing(*keys: str) -> None:
        tried.extend(keys)
        if len(tried) <= times:
            raise FULL
        await remove(*keys)

    monkeypatch.setattr(table, "remove", failing)
    monkeypatch.setattr(removal, "_PAUSES_SECONDS", (0, 0))
    return tried


async def test_a_record_goes_once_the_files_have_freed_space(
    fake_runner: RunnerContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = await fake_runner.create("true")
    tried = fail(fake_runner, monkeypatch, 2)

    await fake_runner.containers.remove(container)

    assert tried == [container] * 3
    assert leftovers(fake_runner) == []
    assert fake_runner.deps.records.containers.all() == ()


async def test_a_removal_that_is_not_recorded_may_be_repeated(
    fake_runner: RunnerContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = await fake_runner.create("true")
    fail(fake_runner, monkeypatch, 3)
    with pytest.raises(NotRecorded):
        await fake_runner.containers.remove(container)
    assert fake_runner.containers.find(container).state is State.CREATED

    await fake_runner.containers.remove(container)

    assert fake_runner.containers.list() == ()


async def test_only_anonymous_volumes_go_with_their_container(
    fake_runner: RunnerContainers,
) -> None:
    mounts = (MountOption("volume", "", "/a"), MountOption("volume", "named", "/b"))
    container = await fake_runner.create("true", mounts=mounts)

    await fake_runner.containers.remove(container, volumes=True)

    assert [volume.name for volume in fake_runner.volumes.list()] == ["named"]


async def test_an_anonymous_volume_that_another_container_uses_stays(
    fake_runner: RunnerContainers,
) -> None:
    first = await fake_runner.create("true", mounts=(MountOption("volume", "", "/a"),))
    (volume,) = fake_runner.volumes.list()
    await fake_runner.create("true", mounts=(MountOption("volume", volume.name, "/a"),))

    await fake_runner.containers.remove(first, volumes=True)

    assert [each.name for each in fake_runner.volumes.list()] == [volume.name]
