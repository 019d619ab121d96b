"""LayoutContentStore: its files, their places and their syncs."""

import os
from pathlib import Path

import pytest

from oci.digest import Digest, DigestMismatch
from runner.storage.content.contract import put_document
from runner.storage.content.layout import LayoutContentStore

BLOB = bytes(range(256)) * 12_000  # about 3 MB: several writes
DIGEST = Digest.of(BLOB)


@pytest.fixture
def content(tmp_path: Path) -> LayoutContentStore:
    return LayoutContentStore(tmp_path / "content")


async def test_bytes_changed_on_disk_between_two_attempts_are_found(
    content: LayoutContentStore,
) -> None:
    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB[:-1])
    (partial,) = (content.path(DIGEST).parents[2] / "ingest").iterdir()
    partial.write_bytes(b"\0" * (len(BLOB) - 1))

    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB[-1:])
        with pytest.raises(DigestMismatch):
            await ingest.commit()

    assert not content.has(DIGEST)


async def test_sha512_has_a_directory_of_its_own(content: LayoutContentStore) -> None:
    digest = Digest.of(b"blob", "sha512")

    await put_document(content, digest, b"blob")

    assert content.path(digest).parent.name == "sha512"
    assert list(content.digests()) == [digest]


async def test_a_blob_is_synced_before_it_is_named(
    content: LayoutContentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def noted_fsync(descriptor: int) -> None:
        steps.append("sync " + Path(os.readlink(f"/proc/self/fd/{descriptor}")).name[:6])
        fsync(descriptor)

    def noted_rename(source: Path, target: Path) -> None:
        steps.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)

    await put_document(content, DIGEST, BLOB)

    assert steps[:3] == ["sync sha256", "rename", "sync sha256"]


def test_a_directory_that_is_none_of_ours_is_no_blob(content: LayoutContentStore) -> None:
    (content.path(DIGEST).parent / "lost+found").mkdir()

    assert list(content.digests()) == []
