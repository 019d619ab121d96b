"""Claims: one request's right to write a session, and how far a session has come.

Every request that writes a session claims it first, and a newer claim ends the right of an older
one: on the way to the store a request may wait for any time, and come back after its client has
sent the same bytes to another server.  docs/decisions has the reasons.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a session has come, as one writer described it at one moment.

    Only ``offset`` means anything outside the store that made it.  A store that needs more to
    continue, such as the parts of a multipart upload, adds it in a subclass of its own.
    """

    session: str
    offset: int
    """Bytes received: what the next request continues from."""
    token: str
    """The token of the claim whose writer made it."""

    @classmethod
    def unknown(cls, session: str) -> Progress:
        """For a session of which nothing is recorded: made by no claim."""
        return cls(session, 0, "")


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write one session, until the next claim of it."""

    session: str
    algorithm: str
    """The algorithm that the digest is expected to have; another one costs a second reading."""
    token: str
    """Never given twice: a count, and random bits, so that not even a lost commit repeats one."""
    progress: Progress | None
    """The last one recorded; None where none is known, and the store must look."""


Record = Callable[[Progress], Awaitable[None]]
"""Keeps a progress if the claim that made it is still the newest; else raises BlobUploadUnknown.

It compares and sets in one step.
"""
