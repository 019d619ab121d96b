"""FakeRegistry: a registry in this process that can be told to lie; raw sockets, no framework."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from oci.digest import Digest
from tests.support.images import Image, Index

REASONS = {200: "OK", 206: "Partial Content", 404: "Not Found"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request, as it arrived; header names are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; ``length`` is what Content-Length claims, ``cut`` where the line goes dead.

    With ``hang`` nothing more comes, and the line stays up until the client has enough of it.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    cut: int | None = None
    chunked: bool = False
    hang: bool = False


Behaviour = Callable[[Seen], Reply | None]


class FakeRegistry:
    """Serves what was put into it, correctly, unless a behaviour answers first."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.behaviours: list[Behaviour] = []
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for writer in tuple(self._writers):
            writer.close()
        await self._server.wait_closed()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def put(self, what: Image | Index, tag: str = "latest", name: str = "app") -> None:
        """Hold an image or index, and everything below it."""
        if isinstance(what, Index):
            for image in what.images:
                self.put(image, str(image.digest), name)
        else:
            self.blobs |= {str(digest): content for digest, content in what.blobs.items()}
        for reference in (tag, str(what.digest)):
            self.manifests[f"/v2/{name}/manifests/{reference}"] = (what.media_type, what.manifest)

    def on(self, method: str, part: str, *replies: Reply) -> None:
        """Answer requests with ``part`` in their path by these replies, the last one for ever."""
        left = list(replies)

        def behave(seen: Seen) -> Reply | None:
            if seen.method != method or part not in seen.path:
                return None
            return left.pop(0) if len(left) > 1 else left[0]

        self.behaviours.append(behave)

    def once(self, method: str, part: str, reply: Reply) -> None:
        """Answer the first such request by this reply, the others as they should be."""
        left = [reply]

        def behave(seen: Seen) -> Reply | None:
            matches = left and seen.method == method and part in seen.path
            return left.pop() if matches else None

        self.behaviours.append(behave)

    def asked(self, method: str, part: str = "") -> list[Seen]:
        return [seen for seen in self.seen if seen.method == method and part in seen.path]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while (seen := await self._read(reader)) is not None:
                self.seen.append(seen)
                answers = (behave(seen) for behave in self.behaviours)
                reply = next((answer for answer in answers if answer), None)
                reply = reply or self._answer(seen)
                if not await self._write(writer, seen, reply):
                    if reply.hang:
                        await reader.read()
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Seen | None:
        head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
        if not head:
            return None
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {
            key.lower(): value.strip() for key, _, value in (x.partition(":") for x in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Seen(method, target, headers, body)

    async def _write(self, writer: asyncio.StreamWriter, seen: Seen, reply: Reply) -> bool:
        headers = dict(reply.headers)
        body = b"" if seen.method == "HEAD" else reply.body
        if reply.chunked:
            headers["Transfer-Encoding"] = "chunked"
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        else:
            headers["Content-Length"] = str(
                len(reply.body) if reply.length is None else reply.length
            )
        reason = REASONS.get(reply.status, "Status")
        lines = [f"HTTP/1.1 {reply.status} {reason}", *(f"{k}: {v}" for k, v in headers.items())]
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        writer.write(body if reply.cut is None else body[: reply.cut])
        await writer.drain()
        return reply.cut is None and (reply.length is None or reply.length == len(reply.body))

    def _answer(self, seen: Seen) -> Reply:
        """The answer of an honest registry."""
        if seen.path == "/v2/":
            return Reply(body=b"{}")
        if seen.path in self.manifests and seen.method in ("GET", "HEAD"):
            media_type, content = self.manifests[seen.path]
            digest = str(Digest.of(content))
            return Reply(
                body=content, headers={"Content-Type": media_type, "Docker-Content-Digest": digest}
            )
        if seen.path.endswith("/tags/list"):
            return self._tags(seen)
        if "/blobs/uploads/" in seen.path:
            return self._upload(seen)
        if "/blobs/" in seen.path:
            return self._blob(seen)
        if seen.method == "PUT" and "/manifests/" in seen.path:
            self.manifests[seen.path] = (seen.headers["content-type"], seen.body)
            return Reply(201, headers={"Docker-Content-Digest": str(Digest.of(seen.body))})
        return envelope(404, "MANIFEST_UNKNOWN", "manifest unknown")

    def _tags(self, seen: Seen) -> Reply:
        """Two a page, in order."""
        folder = seen.path.removesuffix("tags/list") + "manifests/"
        tags = sorted(
            path.removeprefix(folder)
            for path in self.manifests
            if path.startswith(folder) and ":" not in path
        )
        last = seen.query.get("last", [""])[0]
        rest = [tag for tag in tags if tag > last]
        page = rest[:2]
        link = {"Link": f'<{seen.path}?last={page[-1]}>; rel="next"'} if rest[2:] else {}
        return Reply(body=json.dumps({"name": "app", "tags": page or None}).encode(), headers=link)

    def _blob(self, seen: Seen) -> Reply:
        content = self.blobs.get(seen.path.rpartition("/")[2])
        if content is None:
            return envelope(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if wanted := seen.headers.get("range"):
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            part = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return Reply(206, content[start:], {"Content-Range": part})
        return Reply(body=content)

    def _upload(self, seen: Seen) -> Reply:
        if seen.method == "POST":
            return Reply(202, headers={"Location": f"{seen.path}session?_state=a%2Fb%3D"})
        digest = seen.query["digest"][0]
        if str(Digest.of(seen.body)) != digest:
            return envelope(400, "DIGEST_INVALID", "provided digest did not match")
        self.blobs[digest] = seen.body
        return Reply(201)


def envelope(status: int, code: str, message: str, **headers: str) -> Reply:
    """The spec's error envelope."""
    body = f'{{"errors":[{{"code":"{code}","message":"{message}"}}]}}'.encode()
    return Reply(status, body, {"Content-Type": "application/json", **headers})
