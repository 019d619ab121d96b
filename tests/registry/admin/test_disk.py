"""A full or failing disk: reports of a running registry, and its recovery."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner

from oci.digest import Digest
from registry.cli.entry import main
from registry.storage.disk.read_only_latch import MARKER
from registry.storage.disk.root import Root
from tests.support import http, small_disks
from tests.support.images import an_image
from tests.support.processes import RegistryServer, make_registry_server
from tests.support.registry.schema import upgrade

pytestmark = pytest.mark.takes(15)

MIB = 1024 * 1024
TIMEOUT_SECONDS = 60.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disks.small_disk(tmp_path / "disk", "size=32m") as disk:
        yield disk


def post(server: RegistryServer, content: bytes) -> httpx2.Response:
    url = f"{server.url}/v2/team/app/blobs/uploads/?digest={Digest.of(content)}"
    return http.post(url, content=content)


def push(server: RegistryServer) -> Digest:
    """An image with the tag v1; the digest of its manifest."""
    image = an_image()
    for blob in image.blobs.values():
        post(server, blob).raise_for_status()
    url = f"{server.url}/v2/team/app/manifests/v1"
    headers = {"Content-Type": image.media_type}
    http.put(url, content=image.manifest, headers=headers).raise_for_status()
    return image.digest


def readiness(server: RegistryServer) -> httpx2.Response:
    return http.get(f"{server.url}/readyz")


def wait_for_readiness(server: RegistryServer, status: int, reason: str = "") -> httpx2.Response:
    """The first answer about readiness with this status, and this in its text."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (answer := readiness(server)).status_code != status or reason not in answer.text:
        assert time.monotonic() < deadline, (
            f"{answer.status_code}, expected {status}: {answer.text}"
        )
        time.sleep(0.05)
    return answer


def wait_for_log(server: RegistryServer, text: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while text not in server.server.tail:
        assert time.monotonic() < deadline, f"no {text!r} in the log: {server.server.tail}"
        time.sleep(0.05)


def fill(disk: Path, *, leaving: int = 0) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(64 * 1024))
    if leaving:
        with filler.open("r+b") as file:
            file.truncate(filler.stat().st_size - leaving)
    return filler


@pytest.fixture
def server(small_disk: Path) -> Iterator[RegistryServer]:
    environment = {
        "REGISTRY_DISK__MIN_FREE_BYTES": str(8 * MIB),
        "REGISTRY_DISK__MIN_FREE_PERCENT": "0",
        "REGISTRY_GC__UNDELETE_SECONDS": "0",
    }
    server = make_registry_server(small_disk / "root", environment=environment)
    server.server.log = small_disk.parent / "server.log"
    server.start()
    yield server
    server.stop()


@pytest.mark.needs_root
def test_below_the_minimum_uploads_are_refused_and_the_rest_continues(
    server: RegistryServer, small_disk: Path
) -> None:
    digest = push(server)
    filler = fill(small_disk, leaving=4 * MIB)

    not_ready = wait_for_readiness(server, 503)
    refused = post(server, b"more")

    assert refused.status_code == 507
    assert "operator" in refused.json()["errors"][0]["message"]
    assert "expected at least 8388608" in not_ready.json()["reason"]
    assert http.get(f"{server.url}/v2/team/app/manifests/v1").status_code == 200
    url = f"{server.url}/v2/team/app/manifests/{digest}"
    assert http.delete(url).status_code == 202
    filler.unlink()
    wait_for_readiness(server, 200)
    assert post(server, b"more").status_code == 201


@pytest.mark.needs_root
def test_with_no_byte_left_deletes_and_gc_still_work(
    server: RegistryServer, small_disk: Path
) -> None:
    digest = push(server)
    filler = fill(small_disk)

    deleted = http.delete(f"{server.url}/v2/team/app/manifests/{digest}")
    collected = CliRunner().invoke(main, ["gc", "--root", str(server.root)])

    assert deleted.status_code == 202
    assert collected.exit_code == 0, collected.output
    assert post(server, b"more").status_code == 507
    filler.unlink()
    wait_for_readiness(server, 200)
    assert CliRunner().invoke(main, ["fsck", "--deep", "--root", str(server.root)]).exit_code == 0


def test_a_read_only_registry_logs_its_reason_at_the_start(tmp_path: Path) -> None:
    server = make_registry_server(tmp_path / "root")
    server.start()
    server.stop()
    (tmp_path / "root" / MARKER).write_text("the disk failed: Input/output error\n")
    server.server.log = tmp_path / "log"
    server.server.ready = lambda: readiness_answers(server)

    server.start()
    server.stop()

    said = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    critical = [line for line in said if line["level"] == "critical"]
    assert [line["reason"] for line in critical] == ["the disk failed: Input/output error"]
    assert "registry unlatch" in critical[0]["event"]


def test_a_latched_registry_reads_and_does_not_write_until_unlatched(tmp_path: Path) -> None:
    server = make_registry_server(tmp_path / "root")
    server.start()
    digest = push(server)
    server.stop()
    (server.root / MARKER).write_text("sync: Input/output error")
    server.server.ready = lambda: readiness_answers(server)
    server.start()
    try:
        manifest = f"{server.url}/v2/team/app/manifests/{digest}"

        refusals = [post(server, b"more"), http.delete(manifest), readiness(server)]

        assert [answer.status_code for answer in refusals] == [503, 503, 503]
        for answer in refusals:
            assert "read-only since its disk failed (sync: Input/output error)" in answer.text
        assert "registry unlatch" in refusals[0].text
        assert http.get(manifest).status_code == 200
        unlatched = CliRunner().invoke(main, ["unlatch", "--root", str(server.root)])
        assert "It was read-only for: sync: Input/output error" in unlatched.output
        assert readiness(server).status_code == 200
        assert post(server, b"more").status_code == 201
        assert not (server.root / MARKER).exists()
    finally:
        server.stop()


def test_unlatch_of_a_writable_registry_changes_nothing(tmp_path: Path) -> None:
    with Root.open(tmp_path / "root") as root:
        upgrade(root.database)

    result = CliRunner().invoke(main, ["unlatch", "--root", str(tmp_path / "root")])

    assert (result.exit_code, result.output) == (
        0,
        "Nothing to do: the registry was not read-only.\n",
    )


def readiness_answers(server: RegistryServer) -> bool:
    try:
        readiness(server)
    except httpx2.TransportError:
        return False
    return True


def test_after_a_crash_the_database_is_checked_and_after_an_end_it_is_not(tmp_path: Path) -> None:
    server = make_registry_server(tmp_path / "root")
    server.start()
    push(server)
    server.kill()
    server.start()
    wait_for_log(server, "checked the database")
    assert server.server.tail.count("checked the database after a crash") == 1
    server.stop()

    server.start()
    server.stop()

    assert server.server.tail.count("checked the database after a crash") == 1


def test_a_corrupt_database_is_found_after_a_crash_and_not_written(tmp_path: Path) -> None:
    server = make_registry_server(tmp_path / "root")
    server.start()
    post(server, b"content").raise_for_status()
    server.stop()
    server.start()
    post(server, b"one more").raise_for_status()
    server.kill()
    damage(server.root / "registry.db")
    server.server.ready = lambda: readiness_answers(server)
    server.start()
    try:
        wait_for_readiness(server, 503, "the database is corrupt")

        assert post(server, b"refused").status_code == 503
    finally:
        server.stop()


def damage(database: Path) -> None:
    """Overwrite the head of a page that nobody has written since."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as c:
        ((page,),) = c.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tag_history'")
        ((size,),) = c.execute("PRAGMA page_size")
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 16)
