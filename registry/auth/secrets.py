"""Secrets of tokens: made, recognized, and stored as a hash.

``slipway_<id>_<secret>_<checksum>``: scanners of source code find the prefix, and tell a token from
a text that only looks like one by its checksum, without asking the registry.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field

PREFIX = "slipway"
ID_LENGTH = 12
# 43 of 62 characters hold 256 bits.
SECRET_LENGTH = 43
CHECKSUM_LENGTH = 6

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_GRAMMAR = re.compile(
    rf"{PREFIX}_([0-9A-Za-z]{{{ID_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH}}}"
    rf"_([0-9A-Za-z]{{{CHECKSUM_LENGTH}}})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class TokenSecret:
    """A token as its owner has it: shown once, then only its hash is kept."""

    id: str
    """Its public part, by which its row is found."""
    text: str = field(repr=False)

    @property
    def hash(self) -> str:
        """The stored form.  A fast hash: 256 random bits cannot be guessed."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def is_of(self, stored_hash: str) -> bool:
        return hmac.compare_digest(self.hash, stored_hash)


def mint() -> TokenSecret:
    """A new token."""
    id, secret = _random(ID_LENGTH), _random(SECRET_LENGTH)
    body = f"{PREFIX}_{id}_{secret}"
    return TokenSecret(id, f"{body}_{_checksum(body)}")


def parse_token(text: str) -> TokenSecret | None:
    """The token that the text is, if it has a token's form and checksum."""
    found = _GRAMMAR.fullmatch(text)
    if found is None or _checksum(text.rpartition("_")[0]) != found[2]:
        return None
    return TokenSecret(found[1], text)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, place = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[place] + digits
    return digits
