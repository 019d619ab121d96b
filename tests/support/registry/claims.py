"""Claims of sessions as a database's row keeps them, and a store whose callers use them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

from oci.digest import Digest
from registry.errors import BlobUploadUnknown, ClaimLost
from registry.services.sessions import Sessions
from registry.storage.blobs.claims import Claim, Progress
from registry.storage.blobs.contract import BlobStore, BlobWriter, Stored
from tests.support.registry.clocks import FakeClock


class Claims(Protocol):
    """The newest claim of each session, and the last progress recorded."""

    async def claim(self, session: str, algorithm: str) -> Claim: ...

    async def record(self, progress: Progress) -> None: ...

    def progress(self, session: str) -> Progress | None: ...

    def evict(self, session: str) -> Progress | None: ...


@dataclass(slots=True)
class RowClaims:
    """Claims as a row keeps them: what was recorded last stays, whoever writes meanwhile.

    Sessions, the other form, forgets the progress while a claim writes.
    """

    tokens: dict[str, str] = field(default_factory=dict)
    recorded: dict[str, Progress] = field(default_factory=dict)

    async def claim(self, session: str, algorithm: str) -> Claim:
        self.tokens[session] = str(uuid4())
        return Claim(session, algorithm, self.tokens[session], self.recorded.get(session))

    async def record(self, progress: Progress) -> None:
        newest = self.tokens.get(progress.session)
        if newest is None:
            raise BlobUploadUnknown(progress.session)
        if newest != progress.token:
            raise ClaimLost(progress.session)
        self.recorded[progress.session] = progress

    def progress(self, session: str) -> Progress | None:
        return self.recorded.get(session)

    def evict(self, session: str) -> Progress | None:
        self.tokens.pop(session, None)
        return self.recorded.pop(session, None)


@dataclass(frozen=True, slots=True)
class Place:
    """A store, and the claims of its sessions: what a service has of them."""

    store: BlobStore
    claims: Claims = field(default_factory=lambda: Sessions(FakeClock()))

    async def writer(self, session: str, algorithm: str = "sha256") -> BlobWriter:
        claim = await self.claims.claim(session, algorithm)
        return await self.store.writer(claim, self.claims.record)

    async def offset(self, session: str) -> int | None:
        progress = self.claims.progress(session)
        return await self.store.offset(session) if progress is None else progress.offset

    async def append(self, session: str, *chunks: bytes, algorithm: str = "sha256") -> None:
        writer = await self.writer(session, algorithm)
        for chunk in chunks:
            await writer.write(chunk)
        await writer.release()

    async def a_session(self, *chunks: bytes, algorithm: str = "sha256") -> str:
        session = str(uuid4())
        await self.store.begin(session)
        await self.append(session, *chunks, algorithm=algorithm)
        return session

    async def commit(self, session: str, digest: Digest) -> Stored:
        writer = await self.writer(session, digest.algorithm)
        try:
            return await writer.commit(digest)
        finally:
            await writer.release()

    async def a_blob(self, content: bytes) -> Stored:
        return await self.commit(await self.a_session(content), Digest.of(content))

    async def discard(self, session: str) -> None:
        progress = self.claims.evict(session)
        await self.store.discard(progress or Progress.unknown(session))
