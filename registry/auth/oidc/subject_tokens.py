"""Subject tokens: a CI's signed JSON Web Token, parsed and verified; nothing is fetched here.

https://www.rfc-editor.org/rfc/rfc8725 (practices) and https://www.rfc-editor.org/rfc/rfc7519

The header chooses the key among those of a configured issuer, by its id, and nothing else
(rule AN-1).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from oci.document import parse_document
from oci.errors import quoted
from registry.auth.oidc.keys import Key, TokenRefused
from registry.auth.oidc.times import LEEWAY_SECONDS, MAX_AGE_SECONDS, time_of

MAX_LENGTH: Final = 16 * 1024
MAX_KEY_ID: Final = 500

# Keys and their addresses in a header are the sender's word; `crit` would change the meaning.
REFUSED_HEADERS: Final = ("jwk", "jku", "x5u", "x5c", "crit")

_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)

# The algorithm, and the kind and the curve of the keys that it is for.
_ALGORITHMS: Mapping[str, type[Key]] = MappingProxyType({"RS256": RSAKey, "ES256": ECKey})


@dataclass(frozen=True, slots=True)
class SubjectToken:
    """A token in its parts: true only if ``check_signature`` and ``check_times`` pass."""

    text: str = field(repr=False)
    algorithm: str
    key_id: str
    issuer: str
    claims: Mapping[str, object]

    @property
    def replay_id(self) -> str:
        """The same for each copy of a token.

        The `jti` if it has one, or else its signed part: ECDSA allows two signatures of one.
        """
        given = self.claims.get("jti")
        signed = given if isinstance(given, str) and given else self.text.rpartition(".")[0]
        kind = "jti" if signed is given else "text"
        return hashlib.sha256(f"{kind}\0{self.issuer}\0{signed}".encode()).hexdigest()

    @property
    def expires_at(self) -> int:
        """The last second in which ``check_times`` may pass."""
        age = time_of(self.claims, "iat") + MAX_AGE_SECONDS
        return min(time_of(self.claims, "exp"), age) + LEEWAY_SECONDS


def parse_subject_token(text: str) -> SubjectToken:
    """Raises TokenRefused for any token whose header or form is not the one expected."""
    if len(text) > MAX_LENGTH:
        raise TokenRefused(f"the token has more than {MAX_LENGTH} characters")
    found = _FORM.fullmatch(text)
    if found is None:
        raise TokenRefused("expected a JSON Web Token: three parts of base64url")
    header = _part(found[1], "header")
    refused = [name for name in REFUSED_HEADERS if name in header]
    if refused:
        raise TokenRefused(f"the header has {refused[0]}, which is not accepted")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise TokenRefused(f"alg is {quoted(str(algorithm))}, expected RS256 or ES256")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID:
        raise TokenRefused("expected a kid in the header: the id of one of the issuer's keys")
    if "b64" in header or "zip" in header or "enc" in header:
        raise TokenRefused("expected a signed token that is neither encrypted nor detached")
    claims = _part(found[2], "payload")
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        raise TokenRefused("expected the issuer's URL as the claim iss")
    return SubjectToken(text, algorithm, key_id, issuer, claims)


def check_signature(token: SubjectToken, key: Key) -> None:
    """Raise TokenRefused unless the key, of the header's id, signed the token."""
    if not isinstance(key, _ALGORITHMS[token.algorithm]):
        raise TokenRefused(f"alg is {token.algorithm}, and its key is for another")
    try:
        jws.deserialize_compact(token.text, key, algorithms=[token.algorithm])
    except (JoseError, ValueError):
        raise TokenRefused("the signature is not the issuer's") from None


def _part(encoded: str, name: str) -> dict[str, object]:
    padded = encoded + "=" * (-len(encoded) % 4)
    try:
        content = base64.urlsafe_b64decode(padded)
        # Bits after the last byte: another text of the same bytes.
        if base64.urlsafe_b64encode(content).rstrip(b"=").decode() != encoded:
            raise ValueError("bits after the last byte")
        return parse_document(content)
    except ValueError:
        raise TokenRefused(f"the token's {name} is no JSON object in base64url") from None
