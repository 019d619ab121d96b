"""The background scrub: each byte once per interval, and no sooner."""

import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from registry.admin.integrity import BackgroundScrub, jobs
from registry.admin.open_registry import OpenRegistry
from registry.app import open_registry
from registry.config import load_settings
from registry.errors import BlobUnknown, ManifestUnknown
from registry.services.repositories import Repository
from registry.storage.disk.root import Root
from tests.support.images import an_image
from tests.support.registry import schema
from tests.support.registry.clocks import FakeClock
from tests.support.registry.storage import push_image

DAY_MS = 24 * 60 * 60 * 1000
IMAGE = an_image()
LAYER = IMAGE.layers[0].descriptor.digest


@asynccontextmanager
async def opened_at(path: Path, clock: FakeClock, days: str = "7") -> AsyncIterator[OpenRegistry]:
    """A registry with an image in it, whose scrub goes by a clock of the test's."""
    flags = {"storage.root": str(path), "scrub.interval_days": days}
    settings = load_settings(flags={**flags, "disk.min_free_bytes": "0"})
    with Root.open(path) as root:
        schema.upgrade(root.database)
        async with open_registry(settings, root) as opened:
            await push_image(repository(opened), IMAGE, Tag("v1"))
            state = dataclasses.replace(opened.state, clock=clock)
            yield dataclasses.replace(opened, state=state)


def repository(opened: OpenRegistry) -> Repository:
    return opened.registry.repository(RepositoryName("team/app"), "alice", may_push=True)


def a_clock() -> FakeClock:
    """One that says what the machine's says, a minute from now."""
    return FakeClock(wall=int(time.time() * 1000) + 60_000)


def flip_a_bit(root: Path, digest: Digest) -> None:
    (path,) = (root / "blobs").glob(f"*/{digest.encoded}-*")
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


async def damage_the_manifest(opened: OpenRegistry) -> None:
    def unit(connection: Connection) -> None:
        connection.execute(text("UPDATE manifests SET content = zeroblob(size)"))

    await opened.state.database.write(unit, on=None)


async def test_a_blob_is_read_again_once_its_days_are_over(tmp_path: Path) -> None:
    clock = a_clock()
    async with opened_at(tmp_path, clock) as opened:
        scrub = BackgroundScrub(opened)
        flip_a_bit(tmp_path, LAYER)

        assert await scrub.turn() is None
        assert await repository(opened).blobs.stat(LAYER) is not None
        clock.advance(7 * DAY_MS)
        done = await scrub.turn()

        assert done is not None
        assert (done["blobs"], done["corrupt"]) == (len(IMAGE.blobs), 1)
        with pytest.raises(BlobUnknown):
            await repository(opened).blobs.stat(LAYER)
        # Whole blobs have been verified, and corrupt ones are known.
        assert await scrub.turn() is None


async def test_manifests_are_read_at_the_start_and_once_their_days_are_over(tmp_path: Path) -> None:
    clock = a_clock()
    async with opened_at(tmp_path, clock) as opened:
        scrub = BackgroundScrub(opened)
        assert await scrub.turn() is None
        await damage_the_manifest(opened)

        assert await scrub.turn() is None
        clock.advance(7 * DAY_MS)
        done = await scrub.turn()

        assert done is not None
        assert (done["manifests"], done["corrupt"]) == (1, 1)
        with pytest.raises(ManifestUnknown):
            await repository(opened).manifests.pull(Tag("v1"))
        again = await BackgroundScrub(opened).turn()
        assert again is None, "known to be corrupt, and told again"


async def test_a_database_corrupted_while_stopped_is_found_at_the_start(tmp_path: Path) -> None:
    async with opened_at(tmp_path, a_clock()) as opened:
        await damage_the_manifest(opened)

        done = await BackgroundScrub(opened).turn()

        assert done is not None
        assert done["corrupt"] == 1


@pytest.mark.parametrize(("days", "names"), [("7", ["scrub"]), ("0", [])])
async def test_the_background_scrub_is_a_job_unless_disabled(
    tmp_path: Path, days: str, names: list[str]
) -> None:
    async with opened_at(tmp_path, a_clock(), days) as opened:
        assert [job.name for job in jobs(opened)] == names
