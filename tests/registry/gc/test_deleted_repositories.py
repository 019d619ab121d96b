"""Rows of a deleted repository: kept within the undelete window, deleted in batches after it."""

from oci.reference import RepositoryName, Tag
from registry.gc import deleted_repositories
from registry.gc.report import GcReport
from registry.gc.throttle import LockThrottle
from registry.trash.repositories import delete_repository
from tests.support.images import an_image
from tests.support.registry.gc_service import GcService
from tests.support.registry.storage import push_blobs, push_image

NAME = RepositoryName("team/app")
BLOBS = [b"%d" % number for number in range(2 * deleted_repositories.ROWS_PER_BATCH)]


async def delete_rows(window: GcService) -> GcReport:
    report, state = GcReport(), window.service.state
    throttle = LockThrottle(state.database, "gc", share=1)
    await deleted_repositories.delete_expired_rows(state, throttle, report)
    return report


async def test_rows_stay_within_the_window_and_go_after_it(window: GcService) -> None:
    repository, state = window.repository(), window.service.state
    await push_blobs(repository, BLOBS)
    await push_image(repository, an_image(1), Tag("one"))
    await delete_repository(state, "op", NAME)

    early = await delete_rows(window)
    await window.pass_time(700)
    late = await delete_rows(window)
    again = await delete_rows(window)

    assert early == again == GcReport()
    assert (late.repositories, late.members) == (1, len(BLOBS) + 2)
    assert late.blobs == len(BLOBS) + 2
    rows = "SELECT 1 FROM repo_blobs UNION SELECT 1 FROM manifests UNION SELECT 1 FROM tags"
    assert await window.service.rows(rows) == []


async def test_blobs_of_other_repositories_stay(window: GcService) -> None:
    await push_blobs(window.repository(), [b"shared", b"own"])
    await push_blobs(window.repository("team/other"), [b"shared"])
    await delete_repository(window.service.state, "op", NAME)
    await window.pass_time(700)

    report = await delete_rows(window)

    assert (report.members, report.blobs, report.blob_bytes) == (2, 1, len(b"own"))
