"""A client that costs little, the same for every server: sockets, sendfile, and bytes thrown away.

A client that copied what it receives would be measured instead of the server.
"""

import hashlib
import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_READ_BYTES = 4 * 1024 * 1024
_HEAD_BYTES = 64 * 1024
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """A blob of which only the first bytes are its own: new content without a new gibibyte."""

    prefix: bytes
    file: Path
    size: int
    digest: str

    @classmethod
    def of(cls, file: Path) -> "Content":
        return cls._of(file, file.read_bytes()[:64])

    @classmethod
    def fresh(cls, file: Path) -> "Content":
        return cls._of(file, os.urandom(64))

    @classmethod
    def _of(cls, file: Path, prefix: bytes) -> "Content":
        size = file.stat().st_size
        sha256 = hashlib.sha256(prefix)
        with file.open("rb") as source:
            source.seek(len(prefix))
            while part := source.read(_READ_BYTES):
                sha256.update(part)
        return cls(prefix, file, size, f"sha256:{sha256.hexdigest()}")


def random_file(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        left = size
        while left:
            left -= file.write(os.urandom(min(left, _READ_BYTES)))
    return path


def put_blob(port: int, name: str, content: Content) -> float:
    """POST, then PUT with the digest; seconds from the first byte of the POST to the 201."""
    started = time.perf_counter()
    with closing(_connect(port)) as connection:
        answer = _ask(connection, "POST", f"/v2/{name}/blobs/uploads/", {"Content-Length": "0"})
        _expect(answer, 202)
        location = urlsplit(answer.headers["location"])
        query = f"{location.query}&" if location.query else ""
        target = f"{location.path}?{query}digest={content.digest}"
        fields = {
            "Content-Length": str(content.size),
            "Content-Type": "application/octet-stream",
        }
        connection.sendall(_head("PUT", target, fields) + content.prefix)
        with content.file.open("rb") as source:
            connection.sendfile(source, len(content.prefix))
        _expect(_answer(connection), 201)
    return time.perf_counter() - started


def get(port: int, target: str, size: int) -> float:
    """GET and throw away; seconds from the request to the last byte."""
    with closing(_connect(port)) as connection:
        started = time.perf_counter()
        connection.sendall(_head("GET", target, {"Connection": "close"}))
        head = connection.recv(_HEAD_BYTES)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"GET {target} answered {head[:200]!r}")
        left = size - len(head.partition(b"\r\n\r\n")[2])
        # MSG_TRUNC: the kernel drops the bytes instead of copying them.
        scratch = bytearray(_READ_BYTES)
        while left > 0:
            count = connection.recv_into(scratch, min(left, _READ_BYTES), socket.MSG_TRUNC)
            if not count:
                raise RuntimeError(f"GET {target} ended {left} bytes early")
            left -= count
        return time.perf_counter() - started


def put_manifest(port: int, name: str, tag: str, document: object) -> None:
    body = json.dumps(document).encode()
    fields = {"Content-Length": str(len(body)), "Content-Type": MANIFEST}
    with closing(_connect(port)) as connection:
        connection.sendall(_head("PUT", f"/v2/{name}/manifests/{tag}", fields) + body)
        _expect(_answer(connection), 201)


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=600)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _head(method: str, target: str, fields: Mapping[str, str]) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _ask(connection: socket.socket, method: str, target: str, fields: Mapping[str, str]) -> Answer:
    connection.sendall(_head(method, target, fields))
    return _answer(connection)


def _answer(connection: socket.socket) -> Answer:
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(_HEAD_BYTES)
        if not part:
            raise RuntimeError(f"the connection ended after {received[:200]!r}")
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(_HEAD_BYTES)
    return Answer(int(first.split()[1]), headers, body)


def _expect(answer: Answer, status: int) -> None:
    if answer.status != status:
        raise RuntimeError(f"expected {status}, found {answer.status}: {answer.body[:300]!r}")
