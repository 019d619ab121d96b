"""Reads of requests do not wait for long reads."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError

from oci.reference import RepositoryName
from registry.errors import StorageUnreadable
from registry.storage.database.contract import Connection
from registry.storage.database.readers import Readers, translate_read_error
from registry.storage.database.sqlite import OPERATOR_READERS, READERS
from registry.storage.metadata import epochs
from registry.storage.own_thread import in_own_thread
from tests.support.registry.storage import Service, push_blob

ONE = text("SELECT 1")


@asynccontextmanager
async def long_reads(read: Any, count: int) -> AsyncIterator[None]:
    """So many reads that end only with the block."""
    begun, end = threading.Semaphore(0), threading.Event()

    def unit(connection: Connection) -> None:
        connection.execute(ONE)
        begun.release()
        end.wait()

    reads = [asyncio.create_task(read(unit)) for _ in range(count)]
    try:
        for _ in range(count):
            await asyncio.to_thread(begun.acquire)
        yield
    finally:
        end.set()
        await asyncio.gather(*reads)


async def test_no_request_waits_for_the_operators_long_reads(service: Service) -> None:
    await push_blob(service.repository(), b"content")

    async with long_reads(service.database.operator.read, OPERATOR_READERS):
        listed = await service.registry.names(last=None, n=None)

    assert listed.items == (RepositoryName("team/app"),)


async def test_a_read_waits_for_a_thread_and_never_in_vain_for_a_connection(
    service: Service,
) -> None:
    async with long_reads(service.database.read, READERS):
        waiting = asyncio.create_task(service.registry.names(last=None, n=None))
        done, _ = await asyncio.wait([waiting], timeout=0)
        point = await service.database.look(epochs.CURRENT)

    assert (done, point) == (set(), 0)
    assert (await waiting).items == ()


def test_connections_that_are_all_in_use_are_a_refusal() -> None:
    refusal = translate_read_error(TimeoutError("QueuePool limit of size 4 overflow 0 reached"))

    assert isinstance(refusal, StorageUnreadable)
    assert refusal.status == 503


async def test_another_read_error_is_raised_unchanged(service: Service) -> None:
    readers: Readers = service.database.operator

    def unit(connection: Connection) -> None:
        raise KeyError("a mistake")

    with pytest.raises(KeyError):
        await readers.read(unit)


async def test_a_long_step_has_a_thread_of_its_own() -> None:
    begun, end = threading.Semaphore(0), threading.Event()

    def step(number: int) -> int:
        begun.release()
        end.wait()
        return number

    steps = [asyncio.create_task(in_own_thread(step, number)) for number in range(50)]
    for _ in steps:
        await asyncio.to_thread(begun.acquire)
    end.set()

    assert await asyncio.gather(*steps) == list(range(50))
