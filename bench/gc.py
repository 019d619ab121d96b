"""Garbage collection on a large registry: its share of the write lock, and what pushes notice.

python -m bench.gc [--manifests 100000] [--blobs 300000] [--garbage 0.02] [--rows 1000000]

Each round fills a root, pushes for a while as a client does, and goes on while one pass collects.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import httpx2

from oci.digest import Digest
from oci.reference import RepositoryName
from registry.app import open_registry
from registry.config import Settings
from registry.gc.collector import GarbageCollector
from registry.gc.report import GcReport
from registry.services.repositories import Repository
from registry.storage.database import schema
from registry.storage.database.lock_times import BOUNDS_MS, Histogram
from registry.storage.disk.root import Root

REPOSITORIES = 200
LAYERS = 3
PUSH_SECONDS = 30.0
WORKERS = 4


def digest(*parts: object) -> str:
    return "sha256:" + hashlib.sha256(repr(parts).encode()).hexdigest()


def fill(database: Path, manifests: int, blobs: int, garbage: float) -> None:
    """Rows as a large registry has them; ``garbage`` of the blobs are named by nothing."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executemany(
        "INSERT INTO repositories (id, name, created_at) VALUES (?, ?, 1)",
        ((n, f"team/app-{n}") for n in range(1, REPOSITORIES + 1)),
    )
    connection.executemany(
        "INSERT INTO blobs (digest, size, physical, state, created_at)"
        " VALUES (?, 1000, ?, 'ok', 1)",
        ((digest(n), f"{digest(n)[7:]}-{uuid.UUID(int=n)}") for n in range(blobs)),
    )
    connection.executemany(
        "INSERT INTO repo_blobs (repository_id, digest, pushed_at, lease_until, lease_epoch)"
        " VALUES (?, ?, 1, 1, 0)",
        ((n % REPOSITORIES + 1, digest(n)) for n in range(blobs)),
    )
    fill_manifests(connection, manifests, int(blobs * (1 - garbage)))
    connection.executemany("INSERT INTO epochs VALUES (?, 1, 1)", ((n,) for n in range(1, 99)))
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def fill_manifests(connection: sqlite3.Connection, manifests: int, named: int) -> None:
    content = b"x" * 1500
    connection.executemany(
        "INSERT INTO manifests (repository_id, digest, media_type, annotations, pushed_at,"
        " pushed_by, lease_until, lease_epoch, size, content) VALUES"
        " (?, ?, 'application/vnd.oci.image.manifest.v1+json', '{}', 1, 'a', 1, 0, 1500, ?)",
        ((n % REPOSITORIES + 1, digest("manifest", n), content) for n in range(manifests)),
    )
    connection.executemany(
        "INSERT INTO tags (repository_id, name, digest, version, updated_at)"
        " VALUES (?, ?, ?, 1, 1)",
        ((n % REPOSITORIES + 1, f"v{n}", digest("manifest", n)) for n in range(manifests)),
    )
    connection.executemany(
        "INSERT INTO manifest_edges (repository_id, parent, position, kind, child, size, blob)"
        " VALUES (?, ?, ?, 'layer', ?, 1000, ?)",
        edges(manifests, named),
    )


def edges(manifests: int, named: int) -> Iterator[tuple[int, str, int, str, str]]:
    """Each blob of the named ones has a manifest of its own repository."""
    mine = named // REPOSITORIES * REPOSITORIES
    for position, n in enumerate(range(mine)):
        parent = digest("manifest", n % (manifests // REPOSITORIES * REPOSITORIES))
        yield n % REPOSITORIES + 1, parent, position, digest(n), digest(n)


@dataclass
class Latencies:
    """Of pushes, in milliseconds."""

    found: list[float]

    def quantile(self, share: float) -> float:
        return sorted(self.found)[min(len(self.found) - 1, int(len(self.found) * share))]

    def __str__(self) -> str:
        return (
            f"{len(self.found)} pushes, p50 {statistics.median(self.found):.1f} ms, "
            f"p99 {self.quantile(0.99):.1f} ms, longest {max(self.found):.1f} ms"
        )


async def push_until(is_over: Callable[[], bool], repository: Repository) -> Latencies:
    """Push small blobs, ten in a second from each worker."""
    latencies = Latencies([])

    async def work() -> None:
        while not is_over():
            content = random.randbytes(4096)  # noqa: S311 - content, not a secret
            started = time.perf_counter()
            await repository.uploads.push(Digest.of(content), body(content), length=len(content))
            latencies.found.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(0.1)

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    return latencies


async def body(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def measure(path: Path) -> float:
    """One round; how many times the usual p99 is that of pushes during the pass."""
    with Root.open(path) as root:
        async with open_registry(Settings(), root) as opened:
            database = opened.state.database
            repository = opened.registry.repository(RepositoryName("team/app-1"), "bench")
            until = time.monotonic() + PUSH_SECONDS
            usual = await push_until(lambda: time.monotonic() > until, repository)
            click.echo(f"usual:      {usual}")
            collecting = asyncio.create_task(timed_pass(opened.collector))
            during = await push_until(collecting.done, repository)
            report, seconds = await collecting
            times = during.quantile(0.99) / usual.quantile(0.99)
            click.echo(f"during GC:  {during}  ({times:.2f} times)")
            click.echo(f"pass:       {seconds:.1f} s, {report.blobs} blobs collected")
            click.echo(f"write lock: {shares(database.lock_times.of('gc'), seconds)}")
            # Not under the lock, but pushes wait for it as well: theirs and the collector's, in
            # both stretches of time.
            checkpoints = shares(database.lock_times.of("checkpoint"), seconds + PUSH_SECONDS)
            click.echo(f"checkpoints: {checkpoints}")
    return times


def shares(held: Histogram, seconds: float) -> str:
    of_bounds = ", ".join(
        f"{count} to {bound} ms" for count, bound in zip(held.buckets, BOUNDS_MS, strict=False)
    )
    return (
        f"{held.total_ms / seconds / 10:.2f} % of time, {held.count} holds, "
        f"longest {held.longest_ms:.1f} ms ({of_bounds}, {held.buckets[-1]} longer)"
    )


async def timed_pass(collector: GarbageCollector) -> tuple[GcReport, float]:
    started = time.monotonic()
    report = await collector.collect()
    return report, time.monotonic() - started


def restart(path: Path, port: int) -> float:
    """Seconds from exec to the first ready answer; then the server is killed."""
    started = time.monotonic()
    command = [sys.executable, "-m", "registry", "serve", "--root", str(path)]
    server = subprocess.Popen(  # noqa: S603
        [*command, "--listen", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                if httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=1).status_code == 200:
                    return time.monotonic() - started
            except httpx2.TransportError:
                time.sleep(0.01)
    finally:
        server.kill()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifests", type=int, default=100_000)
    parser.add_argument("--blobs", type=int, default=300_000)
    parser.add_argument("--garbage", type=float, default=0.02)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--port", type=int, default=6540)
    parser.add_argument("--directory", default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.directory) as made:
        times = []
        for number in range(given.rounds):
            path = Path(made) / f"gc-{number}"
            prepare(path, given.manifests, given.blobs, given.garbage)
            times.append(asyncio.run(measure(path)))
            shutil.rmtree(path)
        click.echo(f"pushes' p99 during GC: {statistics.median(times):.2f} times the usual, median")
        path = Path(made) / "rows"
        prepare(path, given.manifests, given.rows, 0)
        for state in ("stopped in order", *["killed"] * 2):
            seconds = restart(path, given.port)
            click.echo(f"restart:    {seconds:.2f} s to ready, {given.rows} blob rows, {state}")


def prepare(path: Path, manifests: int, blobs: int, garbage: float) -> None:
    with Root.open(path) as root:
        schema.upgrade(root.database)
        fill(root.database, manifests, blobs, garbage)
    # Else the first to synchronise anything would wait for all of this.
    os.sync()


if __name__ == "__main__":
    main()
