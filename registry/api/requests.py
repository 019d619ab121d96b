"""RegistryRequest: the parameters and the body of a request."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from oci.digest import LENGTHS, Digest, InvalidDigest
from oci.errors import quoted
from oci.http import InvalidNumber, parse_digits
from oci.ranges import ByteRange, parse_content_range
from oci.reference import RepositoryName, Tag, parse_tag_or_digest
from registry.api.access import Authorizer
from registry.api.conditions import is_not_modified, requested_ranges
from registry.api.errors import QueryInvalid
from registry.api.held_bytes import Hold
from registry.background import BackgroundTasks
from registry.errors import SizeInvalid, TooLarge
from registry.services.repositories import Page, Repository

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Start and length of a body in an upload, if the request gives them."""

    start: int | None
    length: int | None


class RegistryRequest(Request):
    """One request to one endpoint; query and body are read on access."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        authorizer: Authorizer,
        background: BackgroundTasks,
        hold: Hold,
        *,
        is_stopping: bool = False,
    ) -> None:
        super().__init__(scope, receive)
        self.authorizer = authorizer
        self.background = background
        self.hold = hold
        self.is_stopping = is_stopping

    @property
    def path(self) -> str:
        path: str = self.scope["path"]
        return path

    @property
    def digest(self) -> Digest:
        return Digest.parse(self.path_params["digest"])

    @property
    def reference(self) -> Tag | Digest:
        return parse_tag_or_digest(self.path_params["reference"])

    @property
    def upload_session(self) -> str:
        session: str = self.path_params["session"]
        return session

    def is_not_modified(self, digest: Digest) -> bool:
        """Whether the client has this content already; raises PreconditionFailed."""
        return self._has(b"if-match", b"if-none-match") and is_not_modified(self.headers, digest)

    def ranges(self, digest: Digest, size: int) -> tuple[ByteRange, ...] | None:
        """The ranges of the content to send, or None for all; raises RangeNotSatisfiable."""
        return requested_ranges(self.headers, digest, size) if self._has(b"range") else None

    def _has(self, *names: bytes) -> bool:
        """Whether one of the headers is given; costs less than Starlette's first look at them."""
        return any(name in names for name, _ in self.scope["headers"])

    @property
    def length(self) -> int | None:
        """Content-Length, or None when the body comes in chunks."""
        text = self.headers.get("content-length")
        return None if text is None else parse_digits(text)

    @property
    def chunk(self) -> Chunk:
        """The body's place in an upload; SizeInvalid if its two headers contradict each other."""
        length, text = self.length, self.headers.get("content-range")
        if text is None:
            return Chunk(None, length)
        wanted = parse_content_range(text)
        if length is not None and length != wanted.size:
            raise SizeInvalid(length, expected=wanted.size)
        return Chunk(wanted.start, wanted.size)

    @property
    def page_size(self) -> int | None:
        """``n``, clamped to 1,000, or None when it is not given (rule DS-2)."""
        text = self.query("n")
        if text is None:
            return None
        try:
            return min(parse_digits(text), MAX_PAGE)
        except InvalidNumber:
            if text.isascii() and text.isdigit():
                return MAX_PAGE
            raise QueryInvalid(f"n is {quoted(text)}, expected a whole number") from None

    @property
    def algorithm(self) -> str:
        """``digest-algorithm``: the algorithm of the blob's digest."""
        text = self.query("digest-algorithm")
        if text is not None and text not in LENGTHS:
            known = ", ".join(LENGTHS)
            raise InvalidDigest(f"digest-algorithm is {quoted(text)}, expected one of {known}")
        return text or "sha256"

    def query(self, name: str) -> str | None:
        """A parameter that may be given once; an empty one counts as missing."""
        values = self.query_params.getlist(name)
        if len(values) > 1:
            raise QueryInvalid(f"{name} is given {len(values)} times, expected once")
        return values[0] or None if values else None

    async def visible(self, *, last: str | None, n: int | None) -> Page[RepositoryName]:
        """The repositories that the caller may see."""
        return await self.authorizer.visible(self, last=last, n=n)

    async def source(self, name: str) -> Repository | None:
        """Another repository, for a mount, if the caller may pull from it."""
        return await self.authorizer.source(self, name)

    async def may_pull(self, name: RepositoryName) -> bool:
        """Whether the caller may pull from a repository, for a mount without ``from``."""
        return await self.authorizer.is_source(self, name)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; raises ClientDisconnect if the client goes away."""
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more = message.get("more_body", False)
            if body := message.get("body", b""):
                yield body

    async def read(self, limit: int) -> bytes:
        """The whole body; raises TooLarge before more than ``limit`` bytes are held.

        Raises TooManyRequests if all requests together hold too much.
        """
        if (self.length or 0) > limit:
            raise TooLarge(limit)
        content = bytearray()
        async for chunk in self.chunks():
            if len(content) + len(chunk) > limit:
                raise TooLarge(limit)
            self.hold.add(len(chunk))
            content += chunk
        return bytes(content)
