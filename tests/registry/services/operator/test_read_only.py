"""Writing is allowed again by an operator, whose name is in the audit."""

import pytest

from registry.errors import RegistryReadOnly
from registry.services.operator.read_only import allow_writes
from tests.support.registry.storage import Service, push_blob


async def test_writing_is_allowed_again_and_the_reason_is_kept(service: Service) -> None:
    service.database.guard.make_read_only("sync: Input/output error")
    with pytest.raises(RegistryReadOnly):
        await push_blob(service.repository(), b"content")

    reason = await allow_writes(service.state, "op")

    assert reason == "sync: Input/output error"
    await push_blob(service.repository(), b"content")
    rows = await service.rows("SELECT identity, action FROM audit ORDER BY id LIMIT 1")
    assert rows == [("op", "unlatch")]


async def test_a_writable_registry_stays_as_it_is(service: Service) -> None:
    assert await allow_writes(service.state, "op") is None
    assert await service.rows("SELECT * FROM audit") == []
