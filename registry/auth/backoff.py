"""Backoff: failed logins make the next ones wait, by account and address.

No account is ever locked: whoever knows the password gets in from an address of their own.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

# Failures without a wait: people mistype.
FREE_FAILURES = 5
FREE_OF_ADDRESS = 20
MAX_WAIT_SECONDS = 300.0
# Failures are forgotten after this time without another one.
FORGOTTEN_SECONDS = 900.0
MAX_KEYS = 10_000

Key = tuple[str, str]


@dataclass(slots=True)
class _Failures:
    """The failures of one key: how many, and when the last was."""

    count: int = 0
    last: float = 0.0


class Backoff:
    """Counts failed logins of each (account, address), and of each address over all accounts.

    Times are seconds of a monotonic clock, given by the caller.
    """

    def __init__(self) -> None:
        self._failures: OrderedDict[Key, _Failures] = OrderedDict()

    def wait(self, account: str, address: str, now: float) -> float:
        """The seconds until the next login may be tried; 0 for at once."""
        return max(
            self._wait((account, address), FREE_FAILURES, now),
            self._wait(("", address), FREE_OF_ADDRESS, now),
        )

    def fail(self, account: str, address: str, now: float) -> None:
        """Count a failed login."""
        for key in ((account, address), ("", address)):
            found = self._failures.pop(key, None) or _Failures()
            if now - found.last > FORGOTTEN_SECONDS:
                found.count = 0
            found.count += 1
            found.last = now
            self._failures[key] = found
        while len(self._failures) > MAX_KEYS:
            self._failures.popitem(last=False)

    def succeed(self, account: str, address: str) -> None:
        """Clear the failures of an account at an address; those of the address stay."""
        self._failures.pop((account, address), None)

    def _wait(self, key: Key, free: int, now: float) -> float:
        found = self._failures.get(key)
        if found is None or found.count < free or now - found.last > FORGOTTEN_SECONDS:
            return 0.0
        # Doubled with each failure, from one second on; the shift is bounded by the longest wait.
        wait = min(MAX_WAIT_SECONDS, float(1 << min(found.count - free, 16)))
        return max(0.0, found.last + wait - now)
