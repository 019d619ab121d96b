"""A failing read during a pull: refused with a reason, or cut off, and nothing else."""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from oci.digest import Digest
from registry.app import build_application
from registry.background import BackgroundTasks
from registry.config import AccessSettings, LogSettings, Settings, StorageSettings
from registry.server import Server
from registry.storage.disk.root import Root
from tests.support.registry.raw_http import (
    Answer,
    connected,
    read_answer,
    read_to_end,
    running,
    talk,
)
from tests.support.registry.schema import upgrade
from tests.support.registry.unreadable import BadPlace
from tests.support.registry.wire import NAME

SMALL = os.urandom(20_000)
LARGE = os.urandom(3 * 1024 * 1024 + 1)


@pytest.fixture(params=["kernel", "copies"])
def sent_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the file system has no sendfile, a worker reads."""
    if request.param == "copies":

        def none(*_: int) -> int:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

        monkeypatch.setattr(os, "sendfile", none)
    return str(request.param)


@pytest.fixture
def server(root: Path, sent_by: str) -> Iterator[Server]:
    settings = Settings(
        access=AccessSettings("push"),
        storage=StorageSettings(root),
        logs=LogSettings(requests=False),
    )
    with Root.open(root) as opened:
        upgrade(opened.database)
        with running(build_application(settings, opened, BackgroundTasks())) as server:
            yield server


def push(server: Server, content: bytes) -> Digest:
    digest = Digest.of(content)
    head = f"POST /v2/{NAME}/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: a\r\n"
    head += f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    [answer] = talk(server, head.encode() + content)
    assert answer.status == 201
    return digest


def get(digest: Digest, *headers: str) -> bytes:
    lines = [f"GET /v2/{NAME}/blobs/{digest} HTTP/1.1", "Host: a", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def path_of(root: Path, digest: Digest) -> Path:
    [path] = root.glob(f"blobs/*/{digest.encoded}-*")
    return path


def message_of(answer: Answer) -> str:
    [error] = json.loads(answer.body)["errors"]
    assert error["code"] == "DENIED"
    return str(error["message"])


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_a_read_that_fails_before_the_first_byte_is_refused_as_a_read(
    server: Server, root: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = push(server, content)
    bad = BadPlace(monkeypatch, path_of(root, digest), 0)

    with capture_logs() as logs, connected(server, get(digest)) as connection:
        answer = read_answer(connection)
        bad.mend()
        connection.sendall(get(digest))
        again = read_answer(connection)

    assert answer.status == 503
    said = f"the registry could not read blob {digest}: Input/output error"
    assert message_of(answer) == said
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [said]
    assert again.body == content


def test_a_range_whose_first_byte_cannot_be_read_is_refused_too(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = push(server, LARGE)
    BadPlace(monkeypatch, path_of(root, digest), 1_000_000)

    [bad, good] = talk(
        server,
        get(digest, "Range: bytes=1000000-")
        + get(digest, "Range: bytes=0-999999", "Connection: close"),
    )

    assert bad.status == 503
    assert "could not read blob" in message_of(bad)
    assert good.status == 206
    assert good.body == LARGE[:1_000_000]


@pytest.mark.parametrize(
    ("content", "start"),
    [(SMALL, 5_000), (LARGE, 1), (LARGE, 2_000_000), (LARGE, len(LARGE) - 1)],
)
@pytest.mark.parametrize("code", [errno.EIO, errno.EUCLEAN, errno.EINVAL])
def test_a_read_that_fails_in_the_middle_breaks_off_and_sends_nothing_else(
    server: Server,
    root: Path,
    content: bytes,
    start: int,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    digest = push(server, content)
    bad = BadPlace(monkeypatch, path_of(root, digest), start, code)

    with connected(server, get(digest) + get(digest)) as connection:
        head, _, received = read_to_end(connection).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"content-length: {len(content)}".encode() in head.lower()
    assert received == content[:start]
    assert bad.met
    [line] = caplog.messages
    assert line.endswith(f"the registry could not read blob {digest}: {os.strerror(code)}")
    # The disk still takes what is pushed, and gives what it can.
    other = push(server, b"another")
    assert talk(server, get(other, "Connection: close"))[0].body == b"another"


def test_several_ranges_break_off_where_the_disk_does(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    digest = push(server, LARGE)
    BadPlace(monkeypatch, path_of(root, digest), 1_000_000)

    with connected(server, get(digest, "Range: bytes=0-9,999990-1999999")) as connection:
        head, _, received = read_to_end(connection).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 206 ")
    assert received.endswith(b"\r\n\r\n" + LARGE[999_990:1_000_000])
    assert str(digest) in caplog.text
    assert len(caplog.messages) == 1


def test_a_file_cut_short_under_a_pull_breaks_off_and_is_named(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    digest = push(server, LARGE)
    path = path_of(root, digest)
    real = os.pread

    def cut(file: int, count: int, offset: int) -> bytes:
        """The look at a range's first byte is the last moment before the head goes out."""
        if (count, offset) == (1, 5) and os.fstat(file).st_ino == path.stat().st_ino:
            monkeypatch.setattr(os, "pread", real)
            reads = real(file, count, offset)
            os.truncate(path, len(LARGE) - 1_000)
            return reads
        return real(file, count, offset)

    path.chmod(0o600)
    monkeypatch.setattr(os, "pread", cut)

    with connected(server, get(digest, "Range: bytes=5-")) as connection:
        received = read_to_end(connection).partition(b"\r\n\r\n")[2]

    assert received == LARGE[5:-1_000]
    [line] = caplog.messages
    assert f"could not read blob {digest}: the file ended" in line
