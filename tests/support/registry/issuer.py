"""An issuer of a test's own: an HTTP server on the loopback, with keys and tokens."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from registry.auth.oidc.keys import Key
from registry.services.identity.issuers import DISCOVERY

OWN = "https://registry.test"
KEYS = "/keys"

Answer = tuple[int, Mapping[str, str], bytes]


@cache
def rsa_key(key_id: str = "rsa", bits: int = 2048) -> RSAKey:
    return RSAKey.generate_key(bits, {"kid": key_id})


@cache
def ec_key(key_id: str = "ec", curve: Literal["P-256", "P-384"] = "P-256") -> ECKey:
    return ECKey.generate_key(curve, {"kid": key_id})


def signed(claims: Mapping[str, object], key: Key | None = None, **header: object) -> str:
    """A token; the header as the key's, unless it is given."""
    key = key or rsa_key()
    algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
    headers = {"alg": algorithm, "kid": key.kid, **header}
    if headers.keys() <= {"alg", "kid", "typ"} and headers["alg"] == algorithm:
        return jws.serialize_compact(headers, json.dumps(claims), key, algorithms=[algorithm])
    return assembled(headers, claims)


def assembled(header: object, claims: object, signature: bytes = b"signature") -> str:
    """A token of any header, which no library would make."""
    return ".".join(
        encoded(part)
        for part in (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    )


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def key_set(*keys: Key, **more: object) -> dict[str, Any]:
    return {"keys": [{**key.as_dict(private=False), **more} for key in keys]}


@dataclass
class FakeIssuer:
    """Answers by path; ``asked`` has the paths of its requests."""

    port: int = 0
    answers: dict[str, Answer | None] = field(default_factory=dict)
    """None: it never answers."""
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def publish(self, *keys: Key) -> None:
        self.say(DISCOVERY, {"issuer": self.url, "jwks_uri": self.url + KEYS})
        self.say(KEYS, key_set(*keys))

    def say(self, path: str, document: object, status: int = 200, **headers: str) -> None:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers[path] = (status, headers, content)

    def claims(self, now: int, **more: object) -> dict[str, object]:
        """Claims as GitHub's; None leaves one out."""
        claims = {
            "iss": self.url,
            "aud": OWN,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "jti": "a",
            "sub": "repo:team/app:ref:refs/heads/main",
            "repository": "Team/App",
            "repository_id": "812",
            "repository_owner_id": "7",
            "ref": "refs/heads/main",
            "event_name": "push",
            **more,
        }
        return {name: value for name, value in claims.items() if value is not None}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            path = request.split(b" ", 2)[1].decode()
            self.asked.append(path)
            answer = self.answers.get(path, (404, {}, b""))
            if answer is None:
                await reader.read()  # until the client is gone
            else:
                status, headers, content = answer
                lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}"]
                lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
                writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + content)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def an_issuer(*keys: Key) -> AsyncIterator[FakeIssuer]:
    issuer = FakeIssuer()
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0)
    async with server:
        issuer.port = server.sockets[0].getsockname()[1]
        issuer.publish(*(keys or (rsa_key(), ec_key())))
        yield issuer
