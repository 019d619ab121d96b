"""Failed logins make the next ones wait; nobody is locked out from elsewhere."""

from registry.auth.backoff import (
    FORGOTTEN_SECONDS,
    FREE_FAILURES,
    FREE_OF_ADDRESS,
    MAX_KEYS,
    MAX_WAIT_SECONDS,
    Backoff,
)

HERE, THERE = "192.0.2.1", "192.0.2.2"


def failing(count: int, account: str = "ada", address: str = HERE, at: float = 1000.0) -> Backoff:
    backoff = Backoff()
    for _ in range(count):
        backoff.fail(account, address, at)
    return backoff


def test_the_first_failures_wait_for_nothing() -> None:
    assert failing(FREE_FAILURES - 1).wait("ada", HERE, 1000.0) == 0


def test_each_further_failure_doubles_the_wait_up_to_the_longest() -> None:
    waits = [failing(FREE_FAILURES + more).wait("ada", HERE, 1000.0) for more in range(4)]

    assert waits == [1, 2, 4, 8]
    assert failing(FREE_FAILURES + 99).wait("ada", HERE, 1000.0) == MAX_WAIT_SECONDS


def test_the_wait_runs_out() -> None:
    backoff = failing(FREE_FAILURES + 2)

    assert backoff.wait("ada", HERE, 1003.0) == 1
    assert backoff.wait("ada", HERE, 1004.0) == 0


def test_the_account_is_free_from_another_address() -> None:
    backoff = failing(FREE_FAILURES + 5)

    assert backoff.wait("ada", THERE, 1000.0) == 0
    assert backoff.wait("grace", HERE, 1000.0) == 0


def test_an_address_that_tries_many_accounts_waits_for_each() -> None:
    backoff = Backoff()
    for number in range(FREE_OF_ADDRESS):
        backoff.fail(f"user{number}", HERE, 1000.0)

    assert backoff.wait("another", HERE, 1000.0) == 1
    assert backoff.wait("another", THERE, 1000.0) == 0


def test_a_login_forgets_the_accounts_failures_and_not_the_addresss() -> None:
    backoff = failing(FREE_OF_ADDRESS + 1)

    backoff.succeed("ada", HERE)

    assert backoff.wait("ada", HERE, 1000.0) == 2


def test_old_failures_are_forgotten() -> None:
    backoff = failing(FREE_FAILURES + 9)
    later = 1000.0 + FORGOTTEN_SECONDS + 1
    backoff.fail("ada", HERE, later)

    assert backoff.wait("ada", HERE, later) == 0


def test_what_is_remembered_is_bounded() -> None:
    backoff = Backoff()
    for number in range(MAX_KEYS):
        backoff.fail(f"user{number}", f"address{number}", 1000.0)

    assert len(backoff._failures) == MAX_KEYS
    assert backoff.wait("user0", "address0", 1000.0) == 0
