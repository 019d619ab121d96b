"""Uploads as a state machine: in any order, a committed blob has the accepted bytes."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from oci.digest import Digest, DigestMismatch
from registry.errors import BlobUploadUnknown, RangeInvalid, SizeInvalid
from registry.services.repositories import Repository
from tests.support.memory import fast_directory
from tests.support.registry.storage import Service, a_service, body, cut, pull_blob

T = TypeVar("T")

CHUNKS = st.binary(max_size=300) | st.integers(0, 3).map(lambda n: bytes([n]) * 1_300_000)
ALGORITHMS = st.sampled_from(["sha256", "sha512"])


class Gone(Exception):
    """The client went away."""


class UploadMachine(RuleBasedStateMachine):
    """Sessions of one repository, beside what each has accepted so far."""

    sessions = Bundle("sessions")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = fast_directory()
        self.accepted: dict[str, bytes] = {}
        self.committed: dict[Digest, bytes] = {}
        self.open()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def open(self) -> None:
        self.stack = AsyncExitStack()
        entering = self.stack.enter_async_context(a_service(Path(self.folder.name)))
        self.service: Service = self.run(entering)

    @property
    def repository(self) -> Repository:
        return self.service.repository()

    @rule(target=sessions, algorithm=ALGORITHMS)
    def start(self, algorithm: str) -> str:
        session = self.run(self.repository.uploads.start(algorithm))
        self.accepted[session.id] = b""
        return session.id

    @rule(session=sessions, chunk=CHUNKS, places=st.lists(st.integers(0, 10**7), max_size=4))
    def append(self, session: str, chunk: bytes, places: list[int]) -> None:
        start = len(self.accepted[session])
        appending = self.repository.uploads.append(
            session, body(*cut(chunk, places)), start=start, length=len(chunk)
        )
        after = self.run(appending)
        self.accepted[session] += chunk
        assert after.offset == len(self.accepted[session])

    @rule(session=sessions, start=st.integers(0, 2_000_000))
    def append_out_of_order(self, session: str, start: int) -> None:
        offset = len(self.accepted[session])
        if start == offset:
            return
        appending = self.repository.uploads.append(session, body(b"x"), start=start, length=1)
        with pytest.raises(RangeInvalid) as refusal:
            self.run(appending)
        assert refusal.value.offset == offset

    @rule(session=sessions, chunk=st.binary(max_size=50), lie=st.integers(0, 60))
    def append_with_a_lie(self, session: str, chunk: bytes, lie: int) -> None:
        if lie == len(chunk):
            return
        appending = self.repository.uploads.append(session, body(chunk), start=None, length=lie)
        with pytest.raises(SizeInvalid):
            self.run(appending)

    @rule(session=sessions, chunk=CHUNKS)
    def go_away(self, session: str, chunk: bytes) -> None:
        async def cut_off() -> AsyncIterator[bytes]:
            yield chunk
            raise Gone

        with pytest.raises(Gone):
            self.run(self.repository.uploads.append(session, cut_off(), start=None, length=10**9))
        self.accepted[session] += chunk

    @rule()
    def restart(self) -> None:
        self.run(self.stack.aclose())
        self.open()

    @rule(session=consumes(sessions), last=CHUNKS, algorithm=ALGORITHMS)
    def commit(self, session: str, last: bytes, algorithm: str) -> None:
        content = self.accepted.pop(session) + last
        digest = Digest.of(content, algorithm)
        start = len(content) - len(last)
        self.run(
            self.repository.uploads.commit(
                session, digest, body(last), start=start, length=len(last)
            )
        )
        self.committed[digest] = content
        assert self.run(pull_blob(self.repository, digest)) == content

    @rule(session=consumes(sessions))
    def commit_something_else(self, session: str) -> None:
        content = self.accepted.pop(session)
        committing = self.repository.uploads.commit(
            session, Digest.of(content + b"!"), body(), start=None, length=0
        )
        with pytest.raises(DigestMismatch):
            self.run(committing)
        self.is_over(session)

    @rule(session=consumes(sessions))
    def cancel(self, session: str) -> None:
        self.accepted.pop(session)
        self.run(self.repository.uploads.cancel(session))
        self.is_over(session)

    def is_over(self, session: str) -> None:
        with pytest.raises(BlobUploadUnknown):
            self.run(self.repository.uploads.status(session))

    @invariant()
    def offsets_are_what_was_accepted(self) -> None:
        for session, content in self.accepted.items():
            assert self.run(self.repository.uploads.status(session)).offset == len(content)

    @invariant()
    def files_are_sessions_and_blobs(self) -> None:
        files = self.service.files()
        assert {name for name in files if name.startswith("uploads/")} == {
            f"uploads/{session}" for session in self.accepted
        }
        assert len(files) == len(self.accepted) + len(self.committed)

    def teardown(self) -> None:
        for digest, content in self.committed.items():
            assert self.run(pull_blob(self.repository, digest)) == content
        self.run(self.stack.aclose())
        self.loop.close()
        self.folder.cleanup()


TestUploadMachine = UploadMachine.TestCase
TestUploadMachine.settings = settings(
    max_examples=20,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
