"""GcReport: only removed files free bytes."""

from registry.gc.report import GcReport


def test_freed_bytes_are_those_of_removed_files() -> None:
    report = GcReport(
        blob_bytes=1, upload_bytes=10, purged_bytes=100, orphan_bytes=1000, kept_orphan_bytes=10_000
    )

    assert report.freed_bytes == 1110
    assert report.document()["freed_bytes"] == 1110
    assert report.document()["blob_bytes"] == 1
