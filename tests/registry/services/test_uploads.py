"""Upload sessions: the spec's rules, and clients' behaviour."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from oci.digest import Digest, DigestMismatch, InvalidDigest
from registry.errors import (
    BlobUnknown,
    BlobUploadUnknown,
    RangeInvalid,
    SizeInvalid,
    StorageFailed,
    TooManyRequests,
)
from registry.services.repositories import Repository
from tests.support.registry.storage import Service, a_service, body, pull_blob, push_blob

CONTENT = bytes(range(256)) * 20_000
DIGEST = Digest.of(CONTENT)


class ClientGone(Exception):
    """Raised by a server's body iterator when the connection is closed."""


async def cut_off(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    raise ClientGone


async def test_post_then_put_makes_a_blob(repository: Repository) -> None:
    session = await repository.uploads.start()

    await repository.uploads.commit(
        session.id, DIGEST, body(CONTENT), start=None, length=len(CONTENT)
    )

    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_chunks_make_a_blob(repository: Repository) -> None:
    session = await repository.uploads.start()
    first = await repository.uploads.append(session.id, body(CONTENT[:1000]), start=0, length=1000)
    second = await repository.uploads.append(
        session.id, body(CONTENT[1000:5000]), start=1000, length=4000
    )

    await repository.uploads.commit(
        session.id, DIGEST, body(CONTENT[5000:]), start=5000, length=len(CONTENT) - 5000
    )

    assert (session.offset, first.offset, second.offset) == (0, 1000, 5000)
    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_a_single_post_makes_a_blob(repository: Repository) -> None:
    await repository.uploads.push(DIGEST, body(CONTENT), length=len(CONTENT))

    assert await repository.blobs.stat(DIGEST) == len(CONTENT)


async def test_a_sha512_blob_needs_no_hint(repository: Repository) -> None:
    digest = Digest.of(CONTENT, "sha512")
    session = await repository.uploads.start()

    await repository.uploads.commit(session.id, digest, body(CONTENT), start=None, length=None)

    assert await pull_blob(repository, digest) == CONTENT
    with pytest.raises(BlobUnknown):
        await repository.blobs.stat(DIGEST)


async def test_an_algorithm_that_cannot_be_verified_is_refused(repository: Repository) -> None:
    with pytest.raises(InvalidDigest, match="'md5'"):
        await repository.uploads.start("md5")


@pytest.mark.parametrize("start", [1, 400, 402, 0])
async def test_a_chunk_out_of_order_is_refused_and_the_session_survives(
    repository: Repository, start: int
) -> None:
    session = await repository.uploads.start()
    await repository.uploads.append(session.id, body(CONTENT[:401]), start=0, length=401)

    with pytest.raises(RangeInvalid) as by_append:
        await repository.uploads.append(session.id, body(b"x"), start=start, length=1)
    with pytest.raises(RangeInvalid) as by_commit:
        await repository.uploads.commit(session.id, DIGEST, body(b"x"), start=start, length=1)

    assert by_append.value.offset == by_commit.value.offset == 401
    assert (await repository.uploads.status(session.id)).offset == 401
    await repository.uploads.commit(session.id, DIGEST, body(CONTENT[401:]), start=401, length=None)
    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_a_chunk_out_of_order_is_not_read(repository: Repository) -> None:
    session = await repository.uploads.start()
    unread = cut_off(b"never")

    with pytest.raises(RangeInvalid):
        await repository.uploads.append(session.id, unread, start=7, length=5)

    assert await anext(unread) == b"never"


@pytest.mark.parametrize("length", [4, 6])
async def test_a_body_that_lies_about_its_length_leaves_nothing(
    repository: Repository, length: int
) -> None:
    session = await repository.uploads.start()
    await repository.uploads.append(session.id, body(b"hello"), start=0, length=5)

    with pytest.raises(SizeInvalid, match=f"expected {length}"):
        await repository.uploads.append(session.id, body(b" worl"), start=5, length=length)

    assert (await repository.uploads.status(session.id)).offset == 5
    await repository.uploads.commit(session.id, Digest.of(b"hello!"), body(b"!"), start=5, length=1)


async def test_bytes_received_before_a_disconnect_are_kept(repository: Repository) -> None:
    session = await repository.uploads.start()

    with pytest.raises(ClientGone):
        await repository.uploads.append(
            session.id, cut_off(CONTENT[:70_000], CONTENT[70_000:90_000]), start=0, length=None
        )
    status = await repository.uploads.status(session.id)
    await repository.uploads.commit(
        session.id, DIGEST, body(CONTENT[status.offset :]), start=status.offset, length=None
    )

    assert status.offset == 90_000
    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_bytes_received_before_a_cancelled_request_are_kept(repository: Repository) -> None:
    session = await repository.uploads.start()
    arrived = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield CONTENT[:50_000]
        arrived.set()
        await asyncio.Event().wait()

    request = asyncio.create_task(
        repository.uploads.append(session.id, stalled(), start=0, length=None)
    )
    await arrived.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request

    assert (await repository.uploads.status(session.id)).offset == 50_000


async def test_a_commit_whose_client_disconnects_is_complete_or_absent(service: Service) -> None:
    """Cancelled anywhere between the last byte and the answer: rows and files agree."""
    for turn in range(25):
        repository = service.repository(f"turn/{turn}")
        digest = Digest.of(content := CONTENT + bytes([turn]))
        session = await repository.uploads.start()
        request = asyncio.create_task(
            repository.uploads.commit(session.id, digest, body(content), start=0, length=None)
        )
        await asyncio.sleep(turn / 2_000)
        request.cancel()
        await asyncio.wait([request])

        rows = await service.rows("SELECT physical FROM blobs")
        uploads = await service.rows("SELECT id FROM uploads")
        named = {f"blobs/{physical[:2]}/{physical}" for (physical,) in rows}
        assert service.files() == named | {f"uploads/{session_id}" for (session_id,) in uploads}


async def test_a_session_survives_a_restart(tmp_path: Path) -> None:
    async with a_service(tmp_path) as before:
        session = await before.repository().uploads.start()
        await before.repository().uploads.append(
            session.id, body(CONTENT[:99_999]), start=0, length=None
        )

    async with a_service(tmp_path) as after:
        repository = after.repository()
        status = await repository.uploads.status(session.id)
        await repository.uploads.append(
            session.id, body(CONTENT[99_999:200_000]), start=99_999, length=None
        )
        await repository.uploads.commit(
            session.id, DIGEST, body(CONTENT[200_000:]), start=200_000, length=None
        )

        assert status.offset == 99_999
        assert await pull_blob(repository, DIGEST) == CONTENT


async def test_a_wrong_digest_ends_the_session_and_publishes_nothing(service: Service) -> None:
    repository = service.repository()
    session = await repository.uploads.start()

    with pytest.raises(DigestMismatch):
        await repository.uploads.commit(session.id, DIGEST, body(b"else"), start=None, length=4)

    with pytest.raises(BlobUploadUnknown):
        await repository.uploads.status(session.id)
    with pytest.raises(BlobUnknown):
        await repository.blobs.stat(DIGEST)
    assert service.files() == set()


async def test_a_failed_single_post_leaves_nothing(service: Service) -> None:
    with pytest.raises(SizeInvalid):
        await service.repository().uploads.push(DIGEST, body(CONTENT), length=7)

    assert service.files() == set()
    assert await service.rows("SELECT * FROM uploads") == []


@pytest.mark.parametrize("session", ["", "nope", "../../etc/passwd", "0" * 36, "a\x00b"])
async def test_a_malformed_session_is_unknown(repository: Repository, session: str) -> None:
    with pytest.raises(BlobUploadUnknown):
        await repository.uploads.status(session)
    with pytest.raises(BlobUploadUnknown):
        await repository.uploads.append(session, body(b"x"), start=None, length=None)
    with pytest.raises(BlobUploadUnknown):
        await repository.uploads.commit(session, DIGEST, body(), start=None, length=None)
    with pytest.raises(BlobUploadUnknown):
        await repository.uploads.cancel(session)


async def test_az_7_another_repositorys_session_is_unknown(service: Service) -> None:
    session = await service.repository("victim").uploads.start()
    stranger = service.repository("stranger")

    with pytest.raises(BlobUploadUnknown):
        await stranger.uploads.status(session.id)
    with pytest.raises(BlobUploadUnknown):
        await stranger.uploads.append(session.id, body(b"x"), start=None, length=None)
    with pytest.raises(BlobUploadUnknown):
        await stranger.uploads.commit(session.id, DIGEST, body(), start=None, length=None)
    with pytest.raises(BlobUploadUnknown):
        await stranger.uploads.cancel(session.id)

    await service.repository("victim").uploads.commit(
        session.id, DIGEST, body(CONTENT), start=0, length=None
    )


async def test_a_cancelled_session_is_gone_with_its_bytes(service: Service) -> None:
    repository = service.repository()
    session = await repository.uploads.start()
    await repository.uploads.append(session.id, body(CONTENT), start=0, length=None)

    await repository.uploads.cancel(session.id)

    with pytest.raises(BlobUploadUnknown):
        await repository.uploads.status(session.id)
    assert service.files() == set()


async def test_a_session_cancelled_under_a_commit_publishes_nothing(service: Service) -> None:
    repository = service.repository()
    session = await repository.uploads.start()

    async def cancelling() -> AsyncIterator[bytes]:
        yield CONTENT
        await repository.uploads.cancel(session.id)

    with pytest.raises(BlobUploadUnknown):
        await repository.uploads.commit(session.id, DIGEST, cancelling(), start=0, length=None)

    assert service.files() == set()
    assert await service.rows("SELECT * FROM blobs") == []


async def test_a_session_alone_makes_no_repository(service: Service) -> None:
    session = await service.repository().uploads.start()
    await service.repository().uploads.cancel(session.id)

    assert (await service.registry.names(last=None, n=None)).items == ()


async def test_committing_again_is_a_success(repository: Repository) -> None:
    session = await repository.uploads.start()
    await repository.uploads.commit(session.id, DIGEST, body(CONTENT), start=0, length=None)

    await repository.uploads.commit(session.id, DIGEST, body(), start=None, length=0)

    with pytest.raises(BlobUploadUnknown):
        await repository.uploads.commit(
            session.id, Digest.of(b"other"), body(b"other"), start=None, length=5
        )


async def test_so_it_is_when_another_session_pushed_the_same_blob_meanwhile(
    repository: Repository,
) -> None:
    first, second = await repository.uploads.start(), await repository.uploads.start()
    for session in (first, second):
        await repository.uploads.commit(session.id, DIGEST, body(CONTENT), start=0, length=None)

    for session in (first, second):
        await repository.uploads.commit(session.id, DIGEST, body(), start=None, length=0)

    await repository.blobs.delete(DIGEST)
    with pytest.raises(BlobUploadUnknown):
        await repository.uploads.commit(first.id, DIGEST, body(), start=None, length=0)


async def test_two_commits_of_one_session_make_one_blob(service: Service) -> None:
    repository = service.repository()
    session = await repository.uploads.start()
    await repository.uploads.append(session.id, body(CONTENT), start=0, length=None)

    await asyncio.gather(
        *(
            repository.uploads.commit(session.id, DIGEST, body(), start=None, length=0)
            for _ in range(2)
        )
    )

    assert await pull_blob(repository, DIGEST) == CONTENT
    assert len(service.files()) == 1
    assert len(await service.rows("SELECT * FROM audit")) == 1


async def test_two_commits_of_one_session_to_two_digests_make_one_blob(service: Service) -> None:
    repository = service.repository()
    session = await repository.uploads.start()
    await repository.uploads.append(session.id, body(CONTENT), start=0, length=None)
    digests = [DIGEST, Digest.of(CONTENT, "sha512")]

    outcomes = await asyncio.gather(
        *(
            repository.uploads.commit(session.id, digest, body(), start=None, length=0)
            for digest in digests
        ),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes if outcome] == [BlobUploadUnknown]
    assert len(service.files()) == 1


async def test_two_sessions_of_one_digest_both_succeed_and_keep_one_object(
    service: Service,
) -> None:
    repository = service.repository()
    sessions = [await repository.uploads.start() for _ in range(4)]

    await asyncio.gather(
        *(
            repository.uploads.commit(session.id, DIGEST, body(CONTENT), start=0, length=None)
            for session in sessions
        )
    )

    assert await pull_blob(repository, DIGEST) == CONTENT
    assert len(service.files()) == 1


async def test_requests_to_one_session_take_turns(repository: Repository) -> None:
    session = await repository.uploads.start()
    first_is_in, first_may_go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"first "
        first_is_in.set()
        await first_may_go_on.wait()
        yield b"still first "

    first = asyncio.create_task(
        repository.uploads.append(session.id, slow(), start=None, length=None)
    )
    await first_is_in.wait()
    second = asyncio.create_task(
        repository.uploads.append(session.id, body(b"second"), start=None, length=None)
    )
    await asyncio.sleep(0)
    first_may_go_on.set()
    await asyncio.gather(first, second)

    await repository.uploads.commit(
        session.id, Digest.of(b"first still first second"), body(), start=None, length=None
    )


async def test_a_blob_that_lost_its_file_is_replaced_by_the_next_push(service: Service) -> None:
    repository = service.repository()
    await push_blob(repository, CONTENT)
    (file,) = service.files()
    (service.root / file).unlink()

    await push_blob(service.repository("other"), CONTENT)

    assert await pull_blob(repository, DIGEST) == CONTENT
    assert len(await service.rows("SELECT * FROM trash")) == 1


async def test_a_truncated_blob_is_replaced_by_the_next_push(service: Service) -> None:
    repository = service.repository()
    await push_blob(repository, CONTENT)
    (file,) = service.files()
    (service.root / file).chmod(0o644)
    (service.root / file).write_bytes(CONTENT[:-1])

    await push_blob(repository, CONTENT)

    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_every_commit_has_its_lease_and_one_line_of_audit(service: Service) -> None:
    await push_blob(service.repository(identity="bob"), CONTENT)

    (lease,) = await service.rows("SELECT lease_until > pushed_at, lease_epoch FROM repo_blobs")
    audit = await service.rows("SELECT identity, action, repository, target FROM audit")
    assert lease == (1, 0)
    assert audit == [("bob", "blob.push", "team/app", str(DIGEST))]


async def test_nothing_is_remembered_of_sessions_that_have_ended(service: Service) -> None:
    """One entry for each of a day's uploads once grew to 1.7 million."""
    uploads = service.repository().uploads
    remembered = service.state.sessions._known

    await push_blob(service.repository(), b"whole")
    committed, cancelled, failed, opened = [await uploads.start() for _ in range(4)]
    await uploads.commit(committed.id, Digest.of(b"x"), body(b"x"), start=None, length=1)
    await uploads.cancel(cancelled.id)
    with pytest.raises(DigestMismatch):
        await uploads.commit(failed.id, Digest.of(b"y"), body(b"x"), start=None, length=1)

    assert set(remembered) == {opened.id}


async def test_nothing_is_remembered_of_sessions_that_are_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.services.uploads.check_limits", refuse)

    with pytest.raises(TooManyRequests):
        await service.repository().uploads.start()

    assert not service.state.sessions._known


def refuse(*_bounds: object) -> None:
    raise TooManyRequests("enough")


@pytest.mark.parametrize(
    ("name", "named"), [("uploads", "uploads"), ("blobs", "blobs/[0-9a-f]{2}")]
)
async def test_a_push_into_a_directory_that_was_removed_names_it(
    service: Service, name: str, named: str
) -> None:
    (service.root / name).rename(service.root / "elsewhere")

    with pytest.raises(StorageFailed, match=f"its directory {named} is missing"):
        await push_blob(service.repository(), CONTENT)

    (service.root / "elsewhere").rename(service.root / name)
    assert await push_blob(service.repository(), CONTENT) == DIGEST
