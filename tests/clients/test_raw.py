"""A raw HTTP client against the real process: restarts, cut connections, lies about lengths."""

import socket
import threading
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from oci.digest import Digest
from oci.http import parse_errors
from tests.support import http
from tests.support.processes import RegistryServer

pytestmark = pytest.mark.takes(20)

CONTENT = bytes(range(256)) * 4096
DIGEST = Digest.of(CONTENT)
HALF = len(CONTENT) // 2


def start(registry: RegistryServer, name: str = "raw/app") -> str:
    answer = http.post(f"{registry.url}/v2/{name}/blobs/uploads/")
    assert answer.status_code == 202
    return f"{registry.url}{answer.headers['location']}"


def commit(location: str, content: bytes = b"", digest: Digest = DIGEST) -> httpx2.Response:
    return http.put(location, params={"digest": str(digest)}, content=content, timeout=30)


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_an_upload_goes_on_after_the_server_has_restarted(
    registry: RegistryServer, end: str, algorithm: str
) -> None:
    digest = Digest.of(CONTENT, algorithm)
    location = start(registry)
    http.patch(location, content=CONTENT[:HALF])

    (registry.stop if end == "stop" else registry.kill)()
    registry.start()
    status = http.get(location)
    offset = int(status.headers["range"].partition("-")[2]) + 1
    patched = http.patch(
        location,
        content=CONTENT[offset:],
        headers={"Content-Range": f"{offset}-{len(CONTENT) - 1}"},
    )
    done = commit(location, digest=digest)

    assert status.status_code == 204
    assert offset <= HALF
    assert (patched.status_code, done.status_code) == (202, 201)
    answer = http.get(f"{registry.url}{done.headers['location']}")
    assert answer.content == CONTENT


def test_what_was_acknowledged_is_there_after_a_kill(registry: RegistryServer) -> None:
    done = commit(start(registry), CONTENT)

    registry.kill()
    registry.start()

    assert http.get(f"{registry.url}{done.headers['location']}").content == CONTENT


def test_an_upload_whose_client_went_away_can_be_resumed(registry: RegistryServer) -> None:
    location = start(registry)
    path = location.removeprefix(registry.url)
    with closing(socket.create_connection(("127.0.0.1", registry.port))) as connection:
        head = f"PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(CONTENT)}\r\n\r\n"
        connection.sendall(head.encode() + CONTENT[:HALF])

    offset = 0
    for _ in range(100):
        status = http.get(location)
        offset = int(status.headers["range"].partition("-")[2] or "-1") + 1
        if offset == HALF:
            break
    patched = http.patch(location, content=CONTENT[offset:])
    done = commit(location)

    assert 0 < offset <= HALF
    assert (patched.status_code, done.status_code) == (202, 201)


def test_a_client_that_goes_away_mid_download_harms_nobody(registry: RegistryServer) -> None:
    blob = bytes(8 * 1024 * 1024)
    digest = Digest.of(blob)
    done = commit(start(registry), blob, digest)
    path = done.headers["location"]

    for _ in range(20):
        with closing(socket.create_connection(("127.0.0.1", registry.port))) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            connection.recv(1000)

    assert http.get(f"{registry.url}{path}").content == blob
    log = registry.server.log.read_text()
    assert "Traceback" not in log
    assert '"level":"error"' not in log.replace(" ", "")


@pytest.mark.parametrize("claimed", [HALF - 1, HALF + 1000])
def test_a_length_that_lies_leaves_nothing_half_written(
    registry: RegistryServer, claimed: int
) -> None:
    location = start(registry)
    path = location.removeprefix(registry.url)
    with closing(socket.create_connection(("127.0.0.1", registry.port))) as connection:
        connection.settimeout(60)
        head = (
            f"PUT {path}?digest={DIGEST} HTTP/1.1\r\nHost: x\r\nContent-Length: {claimed}\r\n\r\n"
        )
        connection.sendall(head.encode() + CONTENT[:HALF])
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    assert http.head(f"{registry.url}/v2/raw/app/blobs/{DIGEST}").status_code == 404
    assert http.get(f"{registry.url}/v2/").status_code == 200


def test_a_refused_upload_hears_why_instead_of_being_asked_for_its_body(
    registry: RegistryServer,
) -> None:
    with closing(socket.create_connection(("127.0.0.1", registry.port))) as connection:
        connection.settimeout(60)
        head = (
            "PATCH /v2/raw/app/blobs/uploads/nonsense HTTP/1.1\r\nHost: x\r\n"
            "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        )
        connection.sendall(head.encode())
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"100 Continue" not in answer
    (entry,) = parse_errors(answer.partition(b"\r\n\r\n")[2])
    assert entry.code == "BLOB_UPLOAD_UNKNOWN"


def test_eight_pushes_of_one_blob_at_once_all_succeed(registry: RegistryServer) -> None:
    locations = [start(registry, f"raw/app-{n % 2}") for n in range(8)]
    statuses: list[int] = []
    threads = [
        threading.Thread(
            target=lambda place=place: statuses.append(commit(place, CONTENT).status_code)
        )
        for place in locations
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [201] * 8


def test_the_root_holds_nothing_named_by_a_client(registry: RegistryServer, tmp_path: Path) -> None:
    """IN-2: names, tags and sessions never become paths."""
    evil = "../../../evil"
    for path in (f"/v2/{evil}/blobs/uploads/", f"/v2/a/manifests/{evil}", f"/v2/a/blobs/{evil}"):
        with closing(socket.create_connection(("127.0.0.1", registry.port))) as connection:
            connection.settimeout(60)
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
            )
            assert b" 4" in connection.recv(4096)[:12]
    commit(start(registry, "canary/name"), CONTENT)

    names = [path.name for path in tmp_path.rglob("*")]
    assert not any("evil" in name or "canary" in name for name in names)
