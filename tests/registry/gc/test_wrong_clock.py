"""Content written while the clock was years ahead is collected when its time has passed."""

from pathlib import Path

import pytest

from oci.reference import RepositoryName, Tag
from registry.gc.dry_run import dry_run
from registry.storage.retention import SLACK_MS
from registry.trash.repositories import delete_repository
from tests.support.images import an_image
from tests.support.registry.clocks import YEAR_MS
from tests.support.registry.gc_service import SECOND, GcService, a_gc_service
from tests.support.registry.settings import default_retention
from tests.support.registry.storage import push_blob, push_image

AHEAD = 10 * YEAR_MS
KEPT = default_retention(
    lease_ms=60 * SECOND,
    epoch_ms=10 * SECOND,
    undelete_ms=100 * SECOND,
    untagged_ms=60 * SECOND,
)


async def fill(gc_service: GcService) -> None:
    """One of everything that is collected, written by a clock that is ahead."""
    gc_service.clock.set_by(AHEAD)
    repository = gc_service.repository()
    await push_blob(repository, b"named by nothing")
    await push_image(repository, an_image(seed="untagged"))
    await push_image(gc_service.repository("gone/app"), an_image(seed="gone"), Tag("v1"))
    name = RepositoryName.parse("gone/app")
    await delete_repository(gc_service.service.state, "operator", name)
    await repository.uploads.start()
    gc_service.clock.set_by(-AHEAD)


async def test_everything_expires_after_its_time_in_epochs(tmp_path: Path) -> None:
    async with a_gc_service(tmp_path, retention=KEPT) as gc_service:
        await fill(gc_service)
        await gc_service.collect()
        assert len(gc_service.service.files()) > 1

        for _ in range(3):
            await gc_service.pass_time(200)
            shown = await dry_run(gc_service.service.state)
            done = await gc_service.collect()
            assert shown.document() == done.document()

        assert {name.partition("/")[0] for name in gc_service.service.files()} <= {"uploads"}
        for table in ("blobs", "manifests", "trash", "trash_manifests", "repo_blobs"):
            assert await gc_service.service.rows(f"SELECT 1 FROM {table}") == []  # noqa: S608


@pytest.mark.parametrize("back", [SLACK_MS // 2, AHEAD])
async def test_a_clock_that_is_set_back_ends_nothing_early(tmp_path: Path, back: int) -> None:
    async with a_gc_service(tmp_path, retention=KEPT) as gc_service:
        await push_blob(gc_service.repository(), b"just pushed")
        before = gc_service.service.files()
        gc_service.clock.set_by(-back)

        await gc_service.pass_time(50)
        report = await gc_service.collect()

        assert (report.members, gc_service.service.files()) == (0, before)
