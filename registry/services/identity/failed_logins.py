"""FailedLogins: written to the audit some seconds later, many in one row; no login waits for it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from oci.errors import OCIError
from registry.auth.credentials import OIDC_USER
from registry.auth.names import PrincipalName
from registry.jobs.scheduler import Job
from registry.services.context import RegistryState
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit

FLUSH_SECONDS = 10.0
MAX_WAITING = 1000
# A user that could not exist may be a password in the wrong field: it is not written down.
NO_NAME = "(no name)"


class FailedLogins:
    """Counts since the last flush, by user and address."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, user: str, address: str) -> None:
        try:
            name = user if user == OIDC_USER else str(PrincipalName.parse(user))
        except ValueError:
            name = NO_NAME
        if len(self._counts) < MAX_WAITING or (name, address) in self._counts:
            self._counts[name, address] += 1
        else:
            self._counts[NO_NAME, ""] += 1

    async def flush(self, state: RegistryState) -> None:
        """Write a row for each user and address; those of a failed write are lost."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return

        def unit(connection: Connection) -> None:
            for (user, address), count in counts.items():
                change = state.begin_change(connection, "")
                detail = f"{count} from {address or 'other addresses'}"
                audit.append(connection, change, "login.fail", "", user, detail)

        await state.database.write(unit, on=None, purpose="failed logins")


@contextlib.asynccontextmanager
async def recording_failures(state: RegistryState, failures: FailedLogins) -> AsyncIterator[None]:
    """Write the last failures when the block ends."""
    try:
        yield
    finally:
        with contextlib.suppress(OCIError):
            await failures.flush(state)


def failures_job(state: RegistryState, failures: FailedLogins) -> Job:
    return Job("failed logins", FLUSH_SECONDS, lambda: failures.flush(state))
