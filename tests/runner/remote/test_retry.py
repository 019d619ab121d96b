"""RetryPolicy: tries, and the waits between them."""

import pytest

from runner.errors import NotFound, Unavailable
from runner.remote.retry import RetryPolicy

QUICK = RetryPolicy(tries=3, first_wait_seconds=0.0001)


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, failures: int, error: type[Exception] = Unavailable) -> None:
        self.left = failures
        self.calls = 0
        self._error = error

    async def __call__(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self._error("not now")
        return "answer"


async def test_a_call_that_recovers_is_answered() -> None:
    call = Flaky(2)

    assert await QUICK.retry(call) == "answer"
    assert call.calls == 3


async def test_the_last_failure_is_raised() -> None:
    call = Flaky(3)

    with pytest.raises(Unavailable):
        await QUICK.retry(call)
    assert call.calls == 3


async def test_a_refusal_is_final() -> None:
    call = Flaky(1, NotFound)

    with pytest.raises(NotFound):
        await QUICK.retry(call)
    assert call.calls == 1


def test_brief_patience_never_has_more_tries() -> None:
    assert RetryPolicy().brief().tries == 3
    assert RetryPolicy(tries=1).brief().tries == 1
