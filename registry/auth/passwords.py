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
from functools import cached_property
from typing import TypeVar

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
_ARGON2 = Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_BCRYPT_BYTES = 72


class TooManyLogins(Exception):
    """More passwords wait to be checked than are accepted."""


class Passwords:
    """Hashes and checks passwords, in as many threads as processors."""

    def __init__(self, threads: int | None = None) -> None:
        self._hasher = PasswordHash((_ARGON2, BcryptHasher()))
        self._threads = threads or max(1, (os.cpu_count() or 2) - 1)
        self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="passwords")
        self._waiting = 0
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, float] = OrderedDict()

    @cached_property
    def _dummy(self) -> str:
        """Checked for a user who does not exist: as long as for one who does."""
        return _ARGON2.hash(secrets.token_hex(16))

    async def hash(self, password: str) -> str:
        return await self._run(_ARGON2.hash, password)

    async def check(self, password: str, stored: str | None) -> bool:
        """Whether it is the password; False, after the same time, without a stored hash.

        Raises TooManyLogins.
        """
        key = self._digest(password, stored or "")
        if stored is not None and self._is_remembered(key):
            return True
        is_right = await self._run(self._check, password, stored)
        if stored is None or not is_right:
            return False
        self._remember(key)
        return True

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _run(self, step: Callable[..., T], *arguments: object) -> T:
        if self._waiting >= MAX_WAITING:
            raise TooManyLogins
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, step, *arguments)
        finally:
            self._waiting -= 1

    def _check(self, password: str, stored: str | None) -> bool:
        # bcrypt knows only the first bytes of a password: what follows would not count.
        is_cut = (stored or "").startswith("$2") and len(password.encode()) > _BCRYPT_BYTES
        if stored is None or is_cut:
            self._hasher.verify(password, self._dummy)
            return False
        try:
            return self._hasher.verify(password, stored)
        except UnknownHashError:
            self._hasher.verify(password, self._dummy)
            return False

    def _digest(self, password: str, stored: str) -> bytes:
        return hmac.digest(self._key, f"{stored}\0{password}".encode(), hashlib.sha256)

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
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise ValueError(
            f"the password has {len(password)} characters, expected {MIN_LENGTH} to {MAX_LENGTH}"
        )
    if any(character in password for character in "\0\r\n"):
        raise ValueError("the password has a line break or NUL, expected none")
    if len(set(password)) < 5:
        raise ValueError("the password repeats a few characters, expected at least 5 different")
