"""Audit: many rows are read and verified in batches, whatever is added meanwhile."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import pytest

from registry.auth.globs import Glob
from registry.errors import Invalid
from registry.services.operator.audit import (
    BATCH,
    SCAN,
    Audit,
    AuditRow,
    ChainMismatch,
    Selection,
    verify_lines,
)
from registry.storage.database.contract import Connection
from registry.storage.metadata.audit import append
from tests.support.registry.storage import Service

MANY = 2 * SCAN + BATCH // 2


async def add(service: Service, many: int) -> None:
    def unit(connection: Connection) -> None:
        change = service.state.begin_change(connection, "ada")
        for number in range(many):
            append(connection, change, "tag.delete", "team/app", f"v{number % 100}")

    await service.database.write(unit, on=None)


def audit_of(service: Service) -> Audit:
    return Audit(service.database.operator, service.state.clock)


async def listed(service: Service, selection: Selection, limit: int) -> list[AuditRow]:
    found = []
    async for batch in audit_of(service).newest(selection, limit):
        assert len(batch) <= BATCH
        found += batch
    return found


@pytest.mark.parametrize("limit", [1, BATCH, BATCH + 1, SCAN + 1, MANY, MANY + 1])
async def test_a_list_has_as_many_rows_as_asked_for(service: Service, limit: int) -> None:
    await add(service, MANY)

    found = await listed(service, Selection(), limit)

    assert [row.id for row in found] == list(range(MANY, 0, -1))[:limit]


async def test_few_rows_are_chosen_among_many(service: Service) -> None:
    await add(service, SCAN)

    def unit(connection: Connection) -> None:
        append(connection, service.state.begin_change(connection, "bob"), "user.add", "", "eve")

    await service.database.write(unit, on=None)
    await add(service, SCAN)

    [row] = await listed(service, Selection(action=Glob.parse("user.*")), 5)
    [same] = await listed(service, Selection(identity="bob"), 5)

    assert (row.id, row.target) == (SCAN + 1, "eve")
    assert same == row


async def test_an_export_of_many_rows_verifies(service: Service) -> None:
    await add(service, MANY)
    exported = [row async for batch in audit_of(service).export(None) for row in batch]

    lines = [json.dumps(row).encode() for row in exported]
    in_file = verify_lines(lines, None)
    in_database = await audit_of(service).verify(exported[5]["hash"])

    assert [row["id"] for row in exported] == list(range(1, MANY + 1))
    assert in_file == in_database
    assert (in_file.rows, in_file.head) == (MANY, exported[-1]["hash"])


async def test_an_export_ends_though_rows_are_added_meanwhile(service: Service) -> None:
    await add(service, BATCH)
    batches: list[Sequence[object]] = []

    async for batch in audit_of(service).export(None):
        batches.append(batch)
        await add(service, 1)

    assert [len(batch) for batch in batches] == [BATCH, 1]


@pytest.mark.parametrize("id", [1, SCAN, SCAN + 1, MANY])
async def test_an_altered_row_is_found_in_any_batch(service: Service, id: int) -> None:
    await add(service, MANY)
    await service.database.write(
        lambda connection: connection.exec_driver_sql(
            "UPDATE audit SET target = 'v1000' WHERE id = ?", (id,)
        ),
        on=None,
    )

    with pytest.raises(
        ChainMismatch, match=rf"row {id} \(tag.delete by ada\) has hash .* expected"
    ):
        await audit_of(service).verify(None)


async def test_each_column_that_a_hash_covers_is_verified_in_a_file(service: Service) -> None:
    await add(service, 1)
    [row] = await listed(service, Selection(), 1)

    for name, value in {"at": row.at + 1, "hash": "a" * 64}.items() | {
        (name, "x") for name in ("identity", "action", "repository", "target", "detail")
    }:
        altered = {**asdict(row), name: value, "previous": ""}
        with pytest.raises(ChainMismatch):
            verify_lines([json.dumps(altered).encode()], None)
        with pytest.raises(Invalid, match="line 1"):
            verify_lines([json.dumps({**altered, name: None}).encode()], None)
