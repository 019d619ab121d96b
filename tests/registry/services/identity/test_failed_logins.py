"""Failed logins stand in the audit, with names that could exist and no secret."""

from sqlalchemy import select

from registry.services.identity.failed_logins import (
    MAX_WAITING,
    NO_NAME,
    FailedLogins,
    recording_failures,
)
from registry.storage.database.contract import Connection
from registry.storage.metadata.tables import audit
from tests.support.registry.storage import Service


def written(connection: Connection) -> list[tuple[str, str]]:
    rows = connection.execute(
        select(audit.c.target, audit.c.detail)
        .where(audit.c.action == "login.fail")
        .order_by(audit.c.id)
    )
    return [(row[0], row[1]) for row in rows]


async def test_the_failures_of_a_user_at_an_address_are_one_row(service: Service) -> None:
    failures = FailedLogins()
    for user, address in [("ada", "192.0.2.1"), ("ada", "192.0.2.1"), ("ada", "192.0.2.2")]:
        failures.add(user, address)

    await failures.flush(service.state)
    await failures.flush(service.state)

    assert await service.state.database.read(written) == [
        ("ada", "2 from 192.0.2.1"),
        ("ada", "1 from 192.0.2.2"),
    ]


async def test_lg_1_a_user_that_could_not_exist_is_not_written(service: Service) -> None:
    failures = FailedLogins()
    failures.add("Correct Horse Battery Staple", "192.0.2.1")

    async with recording_failures(service.state, failures):
        pass

    assert await service.state.database.read(written) == [(NO_NAME, "1 from 192.0.2.1")]


async def test_very_many_users_are_counted_together(service: Service) -> None:
    failures = FailedLogins()
    for number in range(MAX_WAITING + 5):
        failures.add(f"user{number}", "192.0.2.1")

    await failures.flush(service.state)

    rows = await service.state.database.read(written)
    assert len(rows) == MAX_WAITING + 1
    assert rows[-1] == (NO_NAME, "5 from other addresses")
