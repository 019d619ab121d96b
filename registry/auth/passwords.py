"""Passwords: hashed with argon2id, checked in few threads, and never told apart by time.

Rules AN-2 and AN-3.  https://www.rfc-editor.org/rfc/rfc9106
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

T = TypeVar("T")

MIN_LENGTH = 12
MAX_LENGTH = 1024
MAX_WAITING = 64
# A right password need not be hashed again for this long: clients send it with each request.
REMEMBERED_SECONDS = 60.0
MAX_REMEMBERED = 1024

# OWASP's second choice: 19 MiB, two passes, one lane.  A longer time is a longer queue of logins.
_PASSES: Final = 2
_MEMORY_KIB: Final = 19 * 1024
_ARGON2 = Argon2Hasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)
# Checked for a user who does not exist: as long as for one who does.  Of no password.
_DUMMY: Final = f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p=1${'A' * 22}${'A' * 43}"
_BCRYPT_BYTES = 72


class TooManyLogins(Exception):
    """More passwords wait to be checked than are accepted."""


class Passwords:
    """Hashes and checks passwords, in threads: one fewer than processors, and at least one."""

    def __init__(self, threads: int | None = None) -> None:
        self._hasher = PasswordHash((_ARGON2, BcryptHasher()))
        self._threads = threads or max(1, (os.cpu_count() or 2) - 1)
        self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="passwords")
        self._waiting = 0
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, float] = OrderedDict()

    async def hash(self, password: str) -> str:
        """The stored form of a new password.  Never refused: few change a password at once."""
        return await self._run(_ARGON2.hash, _encoded(password))

    async def check(self, password: str, stored: str | None) -> bool:
        """Whether it is the password; False, after the same work, without a stored hash.

        Raises TooManyLogins.
        """
        given = _encoded(password)
        key = self._digest(given, stored or "")
        if stored is not None and self._is_remembered(key):
            return True
        if self._waiting >= MAX_WAITING:
            raise TooManyLogins
        self._waiting += 1
        try:
            is_right = await self._run(self._check, given, stored)
        finally:
            self._waiting -= 1
        if is_right:
            self._remember(key)
        return is_right

    def close(self) -> None:
        """End the threads.  Those who still wait are cancelled."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _run(self, step: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, step, *arguments)

    def _check(self, password: bytes, stored: str | None) -> bool:
        if stored is None:
            return self._check_dummy(password)
        # bcrypt knows only the first bytes of a password: what follows would not count.
        is_cut = stored.startswith("$2") and len(password) > _BCRYPT_BYTES
        try:
            is_right = self._hasher.verify(password[:_BCRYPT_BYTES] if is_cut else password, stored)
        except (UnknownHashError, ValueError):
            return self._check_dummy(password)
        return is_right and not is_cut

    def _check_dummy(self, password: bytes) -> bool:
        self._hasher.verify(password, _DUMMY)
        return False

    def _digest(self, password: bytes, stored: str) -> bytes:
        return hmac.digest(self._key, stored.encode() + b"\0" + password, hashlib.sha256)

    def _is_remembered(self, key: bytes) -> bool:
        until = self._right.get(key)
        if until is None:
            return False
        if until < time.monotonic():
            del self._right[key]
            return False
        return True

    def _remember(self, key: bytes) -> None:
        self._right[key] = time.monotonic() + REMEMBERED_SECONDS
        while len(self._right) > MAX_REMEMBERED:
            self._right.popitem(last=False)


def check_new_password(password: str) -> None:
    """Raise ValueError for a password that may not be chosen."""
    if not _is_utf8(password):
        raise ValueError("the password has bytes that are no UTF-8, expected text")
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise ValueError(
            f"the password has {len(password)} characters, expected {MIN_LENGTH} to {MAX_LENGTH}"
        )
    if any(character in password for character in "\0\r\n"):
        raise ValueError("the password has a line break or NUL, expected none")
    if len(set(password)) < 5:
        raise ValueError("the password repeats a few characters, expected at least 5 different")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encoded(password: str) -> bytes:
    # Half of a surrogate pair is in no password that may be chosen, and is no reason to raise.
    return password.encode("utf-8", "surrogatepass")
