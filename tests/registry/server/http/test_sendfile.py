"""Sendfile: a file or a range of it arrives unchanged, past the application."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.server import Server
from tests.support.registry.files_probe import LARGE, SMALL, files_probe, get, last
from tests.support.registry.raw_http import (
    Probe,
    connected,
    read_to_end,
    running,
    talk,
)
from tests.support.registry.settings import default_limits
from tests.support.registry.unreadable import BadPlace


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    return files_probe(tmp_path)


@pytest.fixture
def server(probe: Probe) -> Iterator[Server]:
    with running(probe, default_limits(write_stall_seconds=0.5)) as server:
        yield server


@pytest.mark.parametrize(
    ("name", "offset", "count"),
    [
        ("small", 0, 4096),
        ("small", 1, 4095),
        ("small", 4095, 1),
        ("empty", 0, 0),
        ("large", 0, len(LARGE)),
        ("large", 0, 64 * 1024),
        ("large", 12345, 64 * 1024 + 1),
        ("large", 4 * 1024 * 1024 - 1, 5 * 1024 * 1024),
        ("large", len(LARGE) - 1, 1),
    ],
)
def test_a_file_or_a_range_of_it_arrives_unchanged(
    server: Server, name: str, offset: int, count: int
) -> None:
    content = {"small": SMALL, "large": LARGE, "empty": b""}[name]

    [answer] = talk(server, last(f"/file/{name}?{offset}-{count}"))

    assert answer.headers["content-length"] == str(count)
    assert answer.body == content[offset : offset + count]


def test_a_large_file_passes_by_the_application(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    sendfile = os.sendfile

    def counted(*arguments: int) -> int:
        sent.append(sendfile(*arguments))
        return sent[-1]

    monkeypatch.setattr(os, "sendfile", counted)

    [answer] = talk(server, last(f"/file/large?0-{len(LARGE)}"))

    assert sum(sent) == len(LARGE)
    assert answer.body == LARGE


def test_ranges_and_bytes_may_alternate_in_one_response(server: Server) -> None:
    [answer] = talk(server, last("/parts/large"))

    assert answer.body == b"<1>" + LARGE[5:100_005] + b"<2>" + LARGE[:10]


@pytest.mark.parametrize("name", ["small", "large"])
def test_a_file_shorter_than_its_content_length_closes_the_connection(
    server: Server, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    content = {"small": SMALL, "large": LARGE}[name]
    promised = len(content) + 10

    [answer] = talk(server, get(f"/file/{name}?0-{promised}") + get("/plain"))

    assert answer.headers["content-length"] == str(promised)
    assert answer.body == content
    assert "exception in ASGI application" in caplog.text


def test_a_read_that_fails_in_the_middle_breaks_the_connection(
    server: Server, probe: Probe, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert probe.directory is not None
    BadPlace(monkeypatch, probe.directory / "large", 1_000_001)

    [answer] = talk(server, get(f"/file/large?1-{len(LARGE) - 1}") + get("/plain"))

    assert answer.headers["content-length"] == str(len(LARGE) - 1)
    assert answer.body == LARGE[1:1_000_001]
    assert probe.seen == ["GET /file/large"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "could not read its disk: Input/output error" in caplog.text


def test_a_client_that_the_network_loses_is_no_failed_read(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lost(*_: int) -> int:
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    monkeypatch.setattr(os, "sendfile", lost)

    with connected(server, get(f"/file/large?0-{len(LARGE)}")) as connection:
        received = read_to_end(connection)

    assert received.endswith(b"\r\n\r\n")
    assert caplog.text == ""
