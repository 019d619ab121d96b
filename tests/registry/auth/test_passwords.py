"""Passwords: checked with the same work whoever asks (AN-2), in few threads and a queue (AN-3)."""

import asyncio
import base64
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from registry.auth import credentials
from registry.auth import passwords as module
from registry.auth.passwords import (
    MAX_LENGTH,
    MAX_WAITING,
    MIN_LENGTH,
    REMEMBERED_SECONDS,
    Passwords,
    TooManyLogins,
    check_new_password,
)

PASSWORD = "correct horse battery"  # noqa: S105  a test's
ARGON2 = Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
STORED = ARGON2.hash(PASSWORD)


def bcrypt_hash(password: bytes) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(4)).decode()


@dataclass
class Work:
    """The hashes that were computed: each algorithm with its parameters, and the bytes hashed."""

    done: list[str] = field(default_factory=list)
    given: list[bytes | str] = field(default_factory=list)

    def add(self, password: bytes | str, stored: bytes | str) -> None:
        self.done.append("$".join(str(stored).split("$")[1:4]))
        self.given.append(password)


@dataclass
class Gate:
    """Keeps every hash from ending until it is opened."""

    opened: threading.Event = field(default_factory=threading.Event)


class FixedTime:
    """The module's clock, which a test sets."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    made = Passwords(threads=1)
    yield made
    made.close()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    found = Work()
    for hasher in (Argon2Hasher, BcryptHasher):
        verify = hasher.verify

        def counted(
            self: Argon2Hasher | BcryptHasher,
            password: bytes | str,
            hash: bytes | str,
            verify: object = verify,
        ) -> bool:
            found.add(password, hash)
            assert callable(verify)
            return bool(verify(self, password, hash))

        monkeypatch.setattr(hasher, "verify", counted)
    return found


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    found, verify = Gate(), Argon2Hasher.verify

    def waiting(self: Argon2Hasher, password: bytes | str, hash: bytes | str) -> bool:
        assert found.opened.wait(60)
        return verify(self, password, hash)

    monkeypatch.setattr(Argon2Hasher, "verify", waiting)
    yield found
    found.opened.set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FixedTime:
    found = FixedTime()
    monkeypatch.setattr(module, "time", found)
    return found


async def test_a_password_is_right_for_its_own_hash_alone(passwords: Passwords) -> None:
    stored = await passwords.hash(PASSWORD)

    assert await passwords.check(PASSWORD, stored)
    for wrong in ("", "x", PASSWORD + " ", PASSWORD[:-1], PASSWORD.upper(), PASSWORD + "\0"):
        assert not await passwords.check(wrong, stored)
    assert not await passwords.check(PASSWORD, ARGON2.hash("another password"))


async def test_a_hash_is_argon2id_with_a_salt_of_its_own(passwords: Passwords) -> None:
    first, second = await passwords.hash(PASSWORD), await passwords.hash(PASSWORD)

    assert first != second
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in first


@pytest.mark.parametrize(
    ("given", "stored", "is_right"),
    [
        (PASSWORD, STORED, True),
        ("a wrong password", STORED, False),
        (PASSWORD, None, False),
        ("", None, False),
        (PASSWORD, "", False),
        (PASSWORD, PASSWORD, False),
        (PASSWORD, "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", False),
        (PASSWORD, f"$2b$99${'a' * 53}", False),
        (PASSWORD, f"{STORED}\n", False),
    ],
    ids=[
        *("right", "wrong", "unknown user", "empty", "no hash", "plain text", "other hash"),
        *("impossible bcrypt", "line feed"),
    ],
)
async def test_an_2_every_check_does_the_work_of_one_hash(
    passwords: Passwords, work: Work, given: str, stored: str | None, is_right: bool
) -> None:
    assert await passwords.check(given, stored) is is_right

    # An impossible bcrypt hash is refused before any work.
    assert [done for done in work.done if not done.startswith("2b$99")] == [
        "argon2id$v=19$m=19456,t=2,p=1"
    ]
    assert work.given[-1] == given.encode()


async def test_an_2_the_first_check_of_an_unknown_user_does_no_other_work(
    passwords: Passwords, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    monkeypatch.setattr(Argon2Hasher, "hash", lambda *given, **options: hashed.append(given))

    for _ in range(2):
        assert not await passwords.check(PASSWORD, None)

    assert (len(work.done), hashed) == (2, [])


def test_an_2_the_hash_of_nobody_takes_as_long_as_a_new_one() -> None:
    assert not ARGON2.check_needs_rehash(module._DUMMY)
    assert len(module._DUMMY) == len(STORED)


@pytest.mark.parametrize("prefix", ["2a", "2b", "2y"])
async def test_a_password_with_a_bcrypt_hash_is_right(passwords: Passwords, prefix: str) -> None:
    stored = bcrypt_hash(PASSWORD.encode()).replace("2b", prefix, 1)

    assert await passwords.check(PASSWORD, stored)
    assert not await passwords.check("a wrong password", stored)


@pytest.mark.parametrize("letter", ["a", "\u00e4", "\U0001f40e"])
async def test_bcrypt_knows_no_more_than_72_bytes_so_a_longer_password_is_wrong(
    passwords: Passwords, work: Work, letter: str
) -> None:
    longest = letter * (72 // len(letter.encode()))
    stored = bcrypt_hash(longest.encode())

    assert await passwords.check(longest, stored)
    for longer in (longest + "b", longest + letter, longest * 10):
        assert not await passwords.check(longer, stored)

    assert [done[:5] for done in work.done] == ["2b$04"] * 4
    assert {*work.given} == {longest.encode()}


async def test_a_password_of_any_length_has_an_argon2_hash(passwords: Passwords) -> None:
    stored = await passwords.hash("a" * 72 + "b")

    assert await passwords.check("a" * 72 + "b", stored)
    assert not await passwords.check("a" * 72 + "c", stored)


async def test_half_of_a_surrogate_pair_is_wrong_and_does_not_raise(passwords: Passwords) -> None:
    assert not await passwords.check("\ud800", STORED)
    assert not await passwords.check(f"{PASSWORD}\udcff", None)


async def test_a_right_password_is_not_hashed_again(passwords: Passwords, work: Work) -> None:
    for _ in range(3):
        assert await passwords.check(PASSWORD, STORED)

    assert len(work.done) == 1


async def test_a_wrong_password_is_hashed_each_time(passwords: Passwords, work: Work) -> None:
    for _ in range(3):
        assert not await passwords.check("a wrong password", STORED)
        assert not await passwords.check(PASSWORD, None)

    assert len(work.done) == 6


async def test_a_remembered_password_is_forgotten_when_the_stored_hash_changes(
    passwords: Passwords, work: Work
) -> None:
    assert await passwords.check(PASSWORD, STORED)

    assert not await passwords.check(PASSWORD, ARGON2.hash("another password"))
    assert not await passwords.check(PASSWORD, None)
    assert not await passwords.check("another password", STORED)
    assert await passwords.check(PASSWORD, ARGON2.hash(PASSWORD))

    assert len(work.done) == 5


async def test_a_password_is_remembered_for_a_time(
    passwords: Passwords, work: Work, clock: FixedTime
) -> None:
    assert await passwords.check(PASSWORD, STORED)

    clock.now += REMEMBERED_SECONDS
    assert await passwords.check(PASSWORD, STORED)
    assert len(work.done) == 1

    clock.now += 0.001
    assert await passwords.check(PASSWORD, STORED)
    assert len(work.done) == 2


async def test_an_3_a_password_is_remembered_for_a_minute_at_most() -> None:
    assert REMEMBERED_SECONDS <= 60


async def test_only_the_latest_right_passwords_are_remembered(
    passwords: Passwords, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 2)
    stored = [bcrypt_hash(PASSWORD.encode()) for _ in range(3)]

    for each in stored:
        assert await passwords.check(PASSWORD, each)
    assert len(work.done) == 3

    for each in (stored[2], stored[1]):
        assert await passwords.check(PASSWORD, each)
    assert len(work.done) == 3

    assert await passwords.check(PASSWORD, stored[0])
    assert len(work.done) == 4


async def test_lg_1_a_remembered_password_is_not_kept_as_text(passwords: Passwords) -> None:
    assert await passwords.check(PASSWORD, STORED)

    assert PASSWORD not in repr(vars(passwords))
    assert STORED not in repr(vars(passwords))


async def test_an_3_more_logins_than_may_wait_are_refused(
    passwords: Passwords, gate: Gate, work: Work
) -> None:
    assert await passwords.check(PASSWORD, remembered := bcrypt_hash(PASSWORD.encode()))
    waiting = [
        asyncio.create_task(passwords.check(PASSWORD, None if number % 2 else STORED))
        for number in range(MAX_WAITING)
    ]
    await asyncio.sleep(0)  # each begins, and waits

    for stored in (STORED, None):
        with pytest.raises(TooManyLogins):
            await passwords.check("a wrong password", stored)
    assert await passwords.check(PASSWORD, remembered)
    changing = asyncio.create_task(passwords.hash(PASSWORD))
    gate.opened.set()

    assert await asyncio.gather(*waiting) == [True, False] * (MAX_WAITING // 2)
    assert (await changing).startswith("$argon2id$")
    assert not await passwords.check("a wrong password", STORED)


async def test_an_3_one_who_leaves_makes_room_for_another(passwords: Passwords, gate: Gate) -> None:
    waiting = [asyncio.create_task(passwords.check("x", None)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)  # each begins, and waits

    left = waiting.pop()
    left.cancel()
    assert [type(each) for each in await asyncio.gather(left, return_exceptions=True)] == [
        asyncio.CancelledError
    ]
    waiting.append(asyncio.create_task(passwords.check(PASSWORD, STORED)))
    gate.opened.set()

    assert await asyncio.gather(*waiting) == [*[False] * (MAX_WAITING - 1), True]


@pytest.mark.parametrize(("processors", "threads"), [(None, 1), (1, 1), (2, 1), (8, 7)])
async def test_an_3_a_processor_is_left_to_the_rest(
    monkeypatch: pytest.MonkeyPatch, processors: int | None, threads: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: processors)

    made = Passwords()

    assert made._threads == threads
    made.close()


async def test_the_threads_end_when_it_is_closed_and_the_waiting_are_cancelled(gate: Gate) -> None:
    passwords = Passwords(threads=1)
    before = {*threading.enumerate()}
    waiting = [asyncio.create_task(passwords.check(PASSWORD, STORED)) for _ in range(3)]
    await asyncio.sleep(0)  # each begins, and waits
    (thread,) = {*threading.enumerate()} - before

    passwords.close()
    gate.opened.set()

    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert found[0] is True
    assert [type(each) for each in found[1:]] == [asyncio.CancelledError] * 2
    await asyncio.to_thread(thread.join, 60)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "password",
    [
        "abcde" + "a" * (MIN_LENGTH - 5),
        "abcde" * (MAX_LENGTH // 5),
        "correct horse battery",
        "\u00e4\u00f6\u00fc\u00df\u20ac correct",
        " with spaces and a tab\t ",
    ],
)
def test_a_password_may_be_chosen(password: str) -> None:
    check_new_password(password)


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("", "has 0 characters, expected 12 to 1024"),
        ("abcdefghijk", "has 11 characters, expected 12 to 1024"),
        ("abcde" * 205, "has 1025 characters, expected 12 to 1024"),
        ("correct\nhorse battery", "a line break or NUL, expected none"),
        ("correct horse battery\r", "a line break or NUL, expected none"),
        ("correct\0horse battery", "a line break or NUL, expected none"),
        ("aaaaaaaaaaaaaaaa", "at least 5 different"),
        ("abcdabcdabcdabcd", "at least 5 different"),
        ("correct horse \udcc3\udca9", "no UTF-8, expected text"),
    ],
)
def test_a_password_that_may_not_be_chosen_is_refused_without_repeating_it(
    password: str, expected: str
) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        check_new_password(password)

    assert not password or password not in str(caught.value)
    assert type(caught.value) is ValueError
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(st.text(max_size=20))
def test_a_password_that_may_be_chosen_can_be_sent(password: str) -> None:
    try:
        check_new_password(password)
    except ValueError:
        return

    encoded = base64.b64encode(f"ada:{password}".encode()).decode()
    assert credentials.parse_credentials([f"Basic {encoded}"]) == credentials.BasicCredentials(
        "ada", password
    )
    assert MAX_LENGTH <= credentials.MAX_PASSWORD
