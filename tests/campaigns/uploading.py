"""Uploading: every form of upload in the spec, each acknowledged in the log."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.campaigns.acknowledgements import AcknowledgementLog
from tests.campaigns.content import Blob
from tests.campaigns.wire import Answer, Connection, Cut, Refused


@dataclass(slots=True)
class Pending:
    """A session that was cut: to be resumed where the server says, and not before ``offset``."""

    repository: str
    blob: Blob
    location: str
    offset: int
    closing: bool = False
    lost_power: bool = False  # what a session had before the power went may be gone


@dataclass(slots=True)
class Uploader:
    """One client's uploads."""

    connection: Connection
    log: AcknowledgementLog
    dice: random.Random
    lease: float
    pending: list[Pending] = field(default_factory=list)

    async def push(self, repository: str, blob: Blob) -> None:
        """Push in a form that the dice choose.  Raises Refused, or Cut with the session pending."""
        forms: tuple[Callable[[str, Blob], Awaitable[Answer]], ...] = (
            self._post_put, self._single_post, self._patches, self._streamed, self._cut,
        )  # fmt: skip
        form = self.dice.choice(forms)
        with self.log.operation(
            "blob.put", repository=repository, digest=blob.digest, lease=self.lease,
            form=form.__name__,
        ) as operation:  # fmt: skip
            answer = await form(repository, blob)
            if answer.status != 201:
                raise Refused(f"{form.__name__} of {blob.digest}", answer)
            operation.ok()

    async def mount(self, repository: str, blob: Blob, source: str) -> bool:
        """Mount, and push if the registry asks for that."""
        target = f"/v2/{repository}/blobs/uploads/?mount={blob.digest}&from={source}"
        with self.log.operation(
            "blob.put", repository=repository, digest=blob.digest, lease=self.lease, form="mount"
        ) as operation:
            answer = await self.connection.request("POST", target)
            if answer.status == 201:
                operation.ok()
                return True
            if answer.status != 202:
                raise Refused(f"mount of {blob.digest}", answer)
            answer = await self._finish(answer.headers["location"], blob, blob.content)
            if answer.status != 201:
                raise Refused(f"push of {blob.digest} after a mount", answer)
            operation.ok()
        return False

    async def race(self, repository: str, blob: Blob) -> bool:
        """Finish and cancel one session at the same time; whether it was finished."""
        location = await self._start(repository)
        other = Connection(self.connection.port)
        with self.log.operation(
            "blob.put", repository=repository, digest=blob.digest, lease=self.lease, form="race"
        ) as operation:
            requests = (
                self._finish(location, blob, blob.content),
                other.request("DELETE", location),
            )
            both = await asyncio.gather(*requests, return_exceptions=True)
            other.close()
            answers = [answer for answer in both if isinstance(answer, Answer)]
            if len(answers) < len(both):
                raise Cut("a session finished and cancelled at once")
            for answer in answers:
                if answer.status not in (201, 204, 404):
                    raise Refused("a session finished and cancelled at once", answer)
            finished = answers[0]
            if finished.status == 201:
                operation.ok()
            else:
                operation.fail()
        return finished.status == 201

    async def has(self, repository: str, blob: Blob) -> bool:
        """HEAD; a 200 is a promise to a client that may push, and goes into the log."""
        with self.log.operation(
            "blob.head", repository=repository, digest=blob.digest, lease=self.lease
        ) as operation:
            answer = await self.connection.request("HEAD", f"/v2/{repository}/blobs/{blob.digest}")
            if answer.status not in (200, 404):
                raise Refused(f"HEAD of {blob.digest}", answer)
            if answer.status == 200:
                operation.ok()
            else:
                operation.fail()
        return answer.status == 200

    async def resume(self, pending: Pending) -> None:
        """Ask where the session stands, send the rest, and finish."""
        answer = await self.connection.request("GET", pending.location)
        if answer.status == 404 and (pending.closing or pending.lost_power):
            return  # its last request had arrived: the blob is there, or the session is gone
        if answer.status != 204:
            raise Refused(f"status of a session with {pending.offset} bytes", answer)
        offset = offset_of(answer)
        if not pending.offset <= offset <= len(pending.blob.content):
            raise Refused(f"offset {offset}, acknowledged {pending.offset}", answer)
        with self.log.operation(
            "blob.put", repository=pending.repository, digest=pending.blob.digest,
            lease=self.lease, form="resumed",
        ) as operation:  # fmt: skip
            rest = pending.blob.content[offset:]
            pending.closing = True
            answer = await self._finish(pending.location, pending.blob, rest)
            if answer.status != 201:
                raise Refused(f"end of a resumed session at {offset}", answer)
            operation.ok()

    async def _start(self, repository: str) -> str:
        answer = await self.connection.request("POST", f"/v2/{repository}/blobs/uploads/")
        if answer.status != 202:
            raise Refused("start of a session", answer)
        return answer.headers["location"]

    async def _finish(
        self, location: str, blob: Blob, rest: bytes, start: int | None = None
    ) -> Answer:
        target = f"{location}?digest={blob.digest}"
        headers = {}
        if start is not None and rest:
            headers["Content-Range"] = f"{start}-{start + len(rest) - 1}"
        with self.log.operation("upload.end", session=location.rpartition("/")[2]) as operation:
            answer = await self.connection.request("PUT", target, rest, headers)
            operation.ok()
        return answer

    async def _post_put(self, repository: str, blob: Blob) -> Answer:
        return await self._finish(await self._start(repository), blob, blob.content)

    async def _single_post(self, repository: str, blob: Blob) -> Answer:
        target = f"/v2/{repository}/blobs/uploads/?digest={blob.digest}"
        return await self.connection.request("POST", target, blob.content)

    async def _patches(self, repository: str, blob: Blob) -> Answer:
        """Chunks with ranges; what a crash interrupts is resumed after it."""
        location = await self._start(repository)
        session = Pending(repository, blob, location, 0)
        parts = self.dice.randint(1, 3)
        step = -(-len(blob.content) // parts)
        try:
            for start in range(0, len(blob.content), step):
                await self._patch(session, blob.content[start : start + step])
            session.closing = True
            return await self._finish(location, blob, b"")
        except Cut:
            self.pending.append(session)
            raise

    async def _patch(self, session: Pending, chunk: bytes) -> None:
        start = session.offset
        name = session.location.rpartition("/")[2]
        headers = {"Content-Range": f"{start}-{start + len(chunk) - 1}"}
        with self.log.operation("upload.append", session=name) as operation:
            answer = await self.connection.request("PATCH", session.location, chunk, headers)
            if answer.status != 202:
                raise Refused(f"chunk at {start}", answer)
            session.offset += len(chunk)
            operation.ok(offset=session.offset)

    async def _streamed(self, repository: str, blob: Blob) -> Answer:
        location = await self._start(repository)
        step = max(1, len(blob.content) // 3)
        chunks = [blob.content[at : at + step] for at in range(0, len(blob.content), step)]
        answer = await self.connection.request("PATCH", location, chunks)
        if answer.status != 202:
            return answer
        return await self._finish(location, blob, b"")

    async def _cut(self, repository: str, blob: Blob) -> Answer:
        """Hang up in the middle of a chunk, and go on from where the server says."""
        location = await self._start(repository)
        half = len(blob.content) // 2
        with suppress(Cut):
            await self.connection.request("PATCH", location, blob.content, cut_after=half)
        while True:
            answer = await self.connection.request("GET", location)
            if answer.status != 204:
                return answer
            offset = offset_of(answer)
            answer = await self._finish(location, blob, blob.content[offset:], offset)
            if answer.status != 416:
                return answer  # 416: more of the first request had been on its way


def offset_of(answer: Answer) -> int:
    """How many bytes a session has."""
    here = answer.headers["range"]
    return 0 if here == "0--1" else int(here.rpartition("-")[2]) + 1
