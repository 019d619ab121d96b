"""Clients that go away at any moment: nothing is held for them, and they can go on."""

import os
import socket
import struct
import time
from contextlib import closing

import httpx2
import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.encoding import image_manifest
from oci.mediatype import OCI_CONFIG
from tests.support import http
from tests.support.processes import RegistryServer

pytestmark = pytest.mark.takes(12)

NAME = "gone/app"
CONTENT = bytes(range(256)) * 2048
DIGEST = Digest.of(CONTENT)
RESET = struct.pack("ii", 1, 0)
TIMEOUT_SECONDS = 60.0

# From before the request is read to after it is answered.
MOMENTS = [0.0, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.013, 0.02, 0.05] * 2


def descriptors(registry: RegistryServer) -> list[str]:
    """Open descriptors of the server: files by their names, sockets by their number."""
    directory = f"/proc/{registry.server.pid}/fd"
    found = []
    for number in os.listdir(directory):
        try:
            target = os.readlink(f"{directory}/{number}")
        except FileNotFoundError:
            continue
        found.append("socket" if target.startswith("socket:") else target)
    return sorted(found)


def settled(registry: RegistryServer, before: list[str]) -> list[str]:
    """Descriptors open beyond those before, once running requests have had time to end."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        now = descriptors(registry)
        too_much = [name for name in now if now.count(name) > before.count(name)]
        if not too_much or time.monotonic() > deadline:
            return too_much
        time.sleep(0.05)


def leave(registry: RegistryServer, head: str, body: bytes, moment: float) -> None:
    """Send a request, and reset the connection a moment later, whatever has been answered."""
    with closing(socket.create_connection(("127.0.0.1", registry.port))) as connection:
        connection.sendall(f"{head}\r\nHost: {registry.host}\r\n".encode())
        connection.sendall(f"Content-Length: {len(CONTENT)}\r\n\r\n".encode() + body)
        time.sleep(moment)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def begin(registry: RegistryServer) -> str:
    answer = http.post(f"{registry.url}/v2/{NAME}/blobs/uploads/")
    assert answer.status_code == 202
    return str(answer.headers["location"])


def blob(number: int) -> bytes:
    """As long as CONTENT, and different from the others."""
    return number.to_bytes(2, "big") + CONTENT[2:]


@pytest.mark.parametrize("sent", [len(CONTENT), len(CONTENT) // 2], ids=["whole", "half"])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_upload_can_go_on_whenever_its_client_went(
    registry: RegistryServer, method: str, sent: int
) -> None:
    begin(registry)
    before = descriptors(registry)
    sessions = [begin(registry) for _ in MOMENTS]
    blobs = [blob(number) for number in range(len(MOMENTS))]

    for session, content, moment in zip(sessions, blobs, MOMENTS, strict=True):
        head = f"{method} {session}?digest={Digest.of(content)} HTTP/1.1"
        leave(registry, head, content[:sent], moment)

    with httpx2.Client(base_url=registry.url, timeout=TIMEOUT_SECONDS, verify=False) as client:
        for session, content in zip(sessions, blobs, strict=True):
            status = client.get(session)
            if status.status_code == 404:
                # The PUT was carried out, and only nobody heard of it.
                assert (method, sent) == ("PUT", len(CONTENT))
                offset = len(CONTENT)
            else:
                offset = int(status.headers["range"].partition("-")[2]) + 1
            query = {"digest": str(Digest.of(content))}
            done = client.put(session, params=query, content=content[offset:])
            assert done.status_code == 201, (offset, done.text)
            assert client.get(done.headers["location"]).content == content
    assert settled(registry, before) == []


def test_a_single_post_leaves_a_blob_or_nothing(registry: RegistryServer) -> None:
    begin(registry)
    before = descriptors(registry)
    uploads = sorted(os.listdir(registry.root / "uploads"))

    for moment in MOMENTS:
        head = f"POST /v2/{NAME}/blobs/uploads/?digest={DIGEST} HTTP/1.1"
        leave(registry, head, CONTENT[: len(CONTENT) // 2], moment)

    assert settled(registry, before) == []
    assert sorted(os.listdir(registry.root / "uploads")) == uploads
    assert http.head(f"{registry.url}/v2/{NAME}/blobs/{DIGEST}").status_code == 404


def test_a_download_that_nobody_takes_is_let_go_of(registry: RegistryServer) -> None:
    large = CONTENT * 32
    session = f"{registry.url}{begin(registry)}"
    digest = Digest.of(large)
    assert http.put(session, params={"digest": str(digest)}, content=large).status_code == 201
    before = descriptors(registry)

    for moment in MOMENTS:
        leave(registry, f"GET /v2/{NAME}/blobs/{digest} HTTP/1.1", b"", moment)

    assert settled(registry, before) == []


def test_a_tag_moves_whole_or_not_at_all(registry: RegistryServer) -> None:
    config = b"{}"
    answer = http.put(
        f"{registry.url}{begin(registry)}",
        params={"digest": str(Digest.of(config))},
        content=config,
    )
    assert answer.status_code == 201
    described = Descriptor(OCI_CONFIG, Digest.of(config), len(config))
    plain = image_manifest(described, [], annotations={"a": ""})
    padding = "x" * (len(CONTENT) - len(plain))
    content = image_manifest(described, [], annotations={"a": padding})
    assert len(content) == len(CONTENT)
    before = descriptors(registry)

    for number, moment in enumerate(MOMENTS):
        leave(registry, f"PUT /v2/{NAME}/manifests/t{number} HTTP/1.1", content, moment)

    assert settled(registry, before) == []
    tags = http.get(f"{registry.url}/v2/{NAME}/tags/list").json()["tags"]
    for number in range(len(MOMENTS)):
        found = http.get(f"{registry.url}/v2/{NAME}/manifests/t{number}")
        assert (found.content == content) == (f"t{number}" in tags)
        assert found.status_code == (200 if f"t{number}" in tags else 404)
