"""Digest: ``algorithm:encoded``, the identity of content.

https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Self

from oci.errors import ErrorCode, OCIError, quoted

LENGTHS: Mapping[str, int] = MappingProxyType({"sha256": 64, "sha512": 128})

# Image spec, "Digests": digest ::= algorithm ":" encoded
#   algorithm ::= algorithm-component (algorithm-separator algorithm-component)*
#   algorithm-component ::= [a-z0-9]+; algorithm-separator ::= [+._-]
#   encoded ::= [a-zA-Z0-9=_-]+
# "Registered algorithms": encoded must match [a-f0-9]{64} for sha256, [a-f0-9]{128} for sha512.
# No other algorithm is accepted: its digests could not be verified.
_LOWER_HEX = re.compile(r"[0-9a-f]+", re.ASCII)


class InvalidDigest(OCIError):
    """The text is not a digest of a supported algorithm."""

    code = ErrorCode.DIGEST_INVALID


class DigestMismatch(OCIError):
    """The content's digest differs from the expected one."""

    code = ErrorCode.DIGEST_INVALID

    def __init__(self, expected: "Digest", actual: "Digest") -> None:
        super().__init__(f"content has digest {actual}, expected {expected}")
        self.expected = expected
        self.actual = actual


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The identity of some bytes: an algorithm, and its result over them in lower-case hex.

    No other form is read (rule IN-3).

    >>> str(Digest.of(b"{}"))
    'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'
    """

    algorithm: str
    encoded: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a digest; InvalidDigest names the malformed part."""
        return cls(*_parts(text))

    @classmethod
    def of(cls, content: bytes | bytearray | memoryview, algorithm: str = "sha256") -> Self:
        """Compute the digest of bytes in memory."""
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


class Digester:
    """Computes the digest and size of a stream, buffer by buffer."""

    def __init__(self, algorithm: str = "sha256") -> None:
        self._algorithm = algorithm
        self._hash = hashlib.new(algorithm)
        self.size = 0

    def update(self, buffer: bytes | bytearray | memoryview) -> None:
        self._hash.update(buffer)
        self.size += len(buffer)

    def digest(self) -> Digest:
        """The digest of everything fed so far; more may follow."""
        return Digest(self._algorithm, self._hash.hexdigest())


def chain_id(diff_ids: Sequence[Digest]) -> Digest:
    """The identity of a stack of layers, lowest first.

    https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
    """
    if not diff_ids:
        raise ValueError("a chain ID needs at least one diff_id")
    chain = diff_ids[0]
    for diff_id in diff_ids[1:]:
        chain = Digest.of(f"{chain} {diff_id}".encode())
    return chain


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[str, str]:
    algorithm, colon, encoded = text.partition(":")
    if not colon:
        raise InvalidDigest(f"invalid digest {quoted(text)}: expected algorithm:encoded")
    length = LENGTHS.get(algorithm)
    if length is None:
        known = ", ".join(LENGTHS)
        raise InvalidDigest(f"invalid digest {quoted(text)}: the algorithm must be one of {known}")
    if len(encoded) != length or not _LOWER_HEX.fullmatch(encoded):
        raise InvalidDigest(
            f"invalid digest {quoted(text)}: {algorithm} needs {length} lower-case hex characters"
        )
    return algorithm, encoded
