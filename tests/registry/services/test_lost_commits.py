"""A connection that is lost in the middle of a commit: the unit happens never, or did, or will.

In each case the client is told to ask again, and nothing that either outcome needs is
dropped.
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

from oci.digest import Digest
from registry.errors import CommitUnknown
from tests.support.memory import directory_in_memory
from tests.support.registry.databases import Fate, LosingDatabase
from tests.support.registry.integrity import wrongs
from tests.support.registry.operations import OPERATIONS, is_preserved, prepare
from tests.support.registry.storage import Service, a_service, body, pull_blob, push_blob

pytestmark = pytest.mark.takes(14)

CONTENT = b"content"
DIGEST = Digest.of(CONTENT)
# A pass of the collector writes often; its last writes are the ones that change something.
LAST_WRITES = 3


@contextlib.asynccontextmanager
async def losing(path: Path) -> AsyncIterator[tuple[Service, LosingDatabase]]:
    async with a_service(path, database_class=LosingDatabase) as service:
        assert isinstance(service.database, LosingDatabase)
        yield service, service.database


async def writes_of(name: str, path: Path) -> int:
    async with losing(path) as (service, database):
        state = await prepare(service)
        before = len(database.written)
        await OPERATIONS[name].run(service, state)
        return len(database.written) - before


@pytest.mark.parametrize("name", OPERATIONS)
async def test_no_operation_deletes_bytes_that_an_unknown_commit_may_need(
    tmp_path: Path, name: str
) -> None:
    with directory_in_memory(tmp_path) as directory:
        writes = await writes_of(name, directory / "counted")
        lost = 0
        for fate in get_args(Fate):
            for countdown in range(max(1, writes - LAST_WRITES + 1), writes + 1):
                lost += await loses(directory / f"{fate}-{countdown}", name, countdown, fate)

    assert lost >= (len(get_args(Fate)) if writes else 0)


async def loses(path: Path, name: str, countdown: int, fate: Fate) -> bool:
    """Lose one commit of an operation, and check what is left; whether there was one to lose."""
    async with losing(path) as (service, database):
        state = await prepare(service)
        database.lose(countdown, fate)
        try:
            await OPERATIONS[name].run(service, state)
        except CommitUnknown:
            is_lost = True
        else:
            is_lost = False
        await database.happen()

        assert await is_preserved(service)
        assert await wrongs(service) == []
        if name != "start":
            await OPERATIONS[name].effect(service, state)
    return is_lost


@pytest.mark.parametrize("fate", get_args(Fate))
async def test_a_push_whose_commit_was_lost_is_pushed_again(tmp_path: Path, fate: Fate) -> None:
    async with losing(tmp_path / "root") as (service, database):
        repository = service.repository()
        session = await repository.uploads.start()
        database.lose(1, fate)
        with pytest.raises(CommitUnknown):
            await repository.uploads.commit(
                session.id, DIGEST, body(CONTENT), start=0, length=len(CONTENT)
            )
        await database.happen()

        await push_blob(repository, CONTENT)

        assert await pull_blob(repository, DIGEST) == CONTENT
        assert await wrongs(service) == []


async def test_a_lease_whose_commit_is_unknown_is_not_relied_on(tmp_path: Path) -> None:
    async with losing(tmp_path / "root") as (service, database):
        repository = service.repository()
        await push_blob(repository, CONTENT)
        await service.database.write(
            lambda connection: connection.exec_driver_sql("UPDATE repo_blobs SET lease_until = 0")
        )
        database.lose(1, "never")

        with pytest.raises(CommitUnknown) as refused:
            await repository.blobs.stat(DIGEST)

    assert refused.value.status == 503
