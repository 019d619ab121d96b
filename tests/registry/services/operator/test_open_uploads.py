"""Open uploads: how long each rests, and an end that a late request is told of."""

import pytest

from registry.errors import BlobUploadUnknown
from registry.services.operator.open_uploads import cancel_upload, cancel_uploads, list_uploads
from tests.support.registry.gc_service import SECOND, GcService
from tests.support.registry.storage import body


async def test_an_upload_rests_from_its_last_request_until_the_next(gc_service: GcService) -> None:
    state, uploads = gc_service.service.state, gc_service.repository().uploads
    session = await uploads.start()
    gc_service.clock.advance(10 * SECOND)
    await uploads.append(session.id, body(b"half"), start=None, length=None)
    gc_service.clock.advance(30 * SECOND)

    [resting] = await list_uploads(state)
    async with state.sessions.lock(session.id):
        [busy] = await list_uploads(state)

    assert (resting.upload.id, resting.idle_ms, resting.bytes) == (session.id, 30 * SECOND, 4)
    assert busy.idle_ms == 0


async def test_an_upload_is_cancelled_once(gc_service: GcService) -> None:
    state, uploads = gc_service.service.state, gc_service.repository().uploads
    session = await uploads.start()
    [listed] = await list_uploads(state)

    ended = await cancel_uploads(state, "op", lambda upload: upload.id == session.id)

    assert [upload.id for upload in ended] == [session.id]
    assert not await cancel_upload(state, "op", listed.upload)
    assert gc_service.service.files() == set()
    with pytest.raises(BlobUploadUnknown):
        await uploads.status(session.id)
