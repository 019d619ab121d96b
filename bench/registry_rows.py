"""The registry's rows: blobs out, blobs in, manifests, small blobs, memory."""

import os
import re
import statistics
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import client
from bench.client import Content
from bench.servers import (
    Server,
    docker_registry,
    nginx,
    ours,
    peak_memory_mib,
    program,
    reset_peak,
)
from bench.table import Goal, Row

NAME = "bench/image"
TAG = "latest"
_SMALL_BYTES = 4096
_AT_ONCE = 8
_WRK_SECONDS = 5
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True)
class Bench:
    """Arguments of every row: a place of its own, one for all rows, how large and how often."""

    directory: Path
    shared: Path
    size: int
    rounds: int

    def random_file(self) -> Path:
        """The blob from which all contents are made."""
        path = self.shared / "random"
        if not path.exists():
            client.random_file(path, self.size)
        return path


def get_blob(bench: Bench) -> Iterator[Row]:
    """GET of a large blob, by one connection and by four, servers taking turns."""
    content = _served(bench)
    path = f"/v2/{NAME}/blobs/{content.digest}"
    with _three(bench, content) as (slipway, peer, static):
        for connections in (1, 4):
            turns: dict[str, Callable[[], float]] = {
                server.name: _getter(server, target, bench.size, connections)
                for server, target in ((slipway, path), (peer, path), (static, "/blob"))
            }
            speeds = medians(turns, bench.rounds)
            name = f"GET blob of {_size(bench.size)}, {connections} at once"
            goal = Goal(">=", 1.2)
            yield Row(name, "MB/s", speeds["slipway"], speeds[peer.name], peer.name, goal)
            yield Row(name, "MB/s", speeds["slipway"], speeds["nginx"], "nginx")


def put_blob(bench: Bench) -> Iterator[Row]:
    """PUT of a large blob with its digest; both have synced it when they answer."""
    source = bench.random_file()
    with ours(bench.directory / "ours") as slipway, _peer(bench) as peer:
        turns: dict[str, Callable[[], float]] = {
            server.name: _putter(server, source) for server in (slipway, peer)
        }
        speeds = medians(turns, bench.rounds)
    name = f"PUT blob of {_size(bench.size)}, synced"
    goal = Goal(">=", 2)
    yield Row(name, "MB/s", speeds["slipway"], speeds[peer.name], peer.name, goal)


def get_manifest(bench: Bench) -> Iterator[Row]:
    """GET of a manifest by its tag, 16 connections."""
    accept = f"Accept: {client.MANIFEST}"
    with ours(bench.directory / "ours") as slipway, _peer(bench) as peer:
        turns: dict[str, Callable[[], float]] = {}
        for server in (slipway, peer):
            push_image(bench, server)
            turns[server.name] = requester(server, f"/v2/{NAME}/manifests/{TAG}", accept)
        rates = medians(turns, bench.rounds)
    name = "GET manifest by tag, 16 connections"
    goal = Goal(">=", 4)
    yield Row(name, "/s", rates["slipway"], rates[peer.name], peer.name, goal)


def get_small_blob(bench: Bench) -> Iterator[Row]:
    """GET of a blob of 4 KiB, 16 connections."""
    file = client.random_file(bench.directory / "small", _SMALL_BYTES)
    content = Content.fresh(file)
    _write(content, bench.directory / "served" / "blob")
    path = f"/v2/{NAME}/blobs/{content.digest}"
    with _three(bench, content) as (slipway, peer, static):
        rates = medians(
            {
                slipway.name: requester(slipway, path),
                peer.name: requester(peer, path),
                static.name: requester(static, "/blob"),
            },
            bench.rounds,
        )
    name = "GET blob of 4 KiB, 16 connections"
    yield Row(name, "/s", rates["slipway"], rates[peer.name], peer.name)
    yield Row(name, "/s", rates["slipway"], rates["nginx"], "nginx")


def memory(bench: Bench) -> Iterator[Row]:
    """The most a server held resident with eight uploads and eight downloads at once."""
    source = bench.random_file()
    peaks = {}
    for start in (ours, docker_registry):
        with start(bench.directory / f"memory-{start.__name__}") as server:
            served = Content.fresh(source)
            client.put_blob(server.port, NAME, served)
            contents = [Content.fresh(source) for _ in range(_AT_ONCE)]
            reset_peak(server.pid)
            _up_and_down(server, contents, served)
            peaks[server.name] = peak_memory_mib(server.pid)
    name = f"memory, {_AT_ONCE} PUTs and {_AT_ONCE} GETs of {_size(bench.size)} at once"
    goal = Goal("<=", 150, of_ratio=False)
    yield Row(name, "MiB", peaks["slipway"], peaks["docker-registry"], "docker-registry", goal)


def _up_and_down(server: Server, contents: Sequence[Content], served: Content) -> None:
    target = f"/v2/{NAME}/blobs/{served.digest}"
    with ThreadPoolExecutor(2 * _AT_ONCE) as pool:
        work = [pool.submit(client.put_blob, server.port, NAME, each) for each in contents]
        work += [pool.submit(client.get, server.port, target, served.size) for _ in contents]
        for each in work:
            each.result()


@contextmanager
def _peer(bench: Bench) -> Iterator[Server]:
    with docker_registry(bench.directory / "docker-registry") as server:
        yield server


@contextmanager
def _three(bench: Bench, content: Content) -> Iterator[tuple[Server, Server, Server]]:
    """Ours, docker-registry, both with the content, and nginx with the same bytes in a file."""
    with (
        ours(bench.directory / "ours") as slipway,
        _peer(bench) as peer,
        nginx(bench.directory / "nginx", bench.directory / "served") as static,
    ):
        for server in (slipway, peer):
            client.put_blob(server.port, NAME, content)
        yield slipway, peer, static


def _served(bench: Bench) -> Content:
    content = Content.fresh(bench.random_file())
    _write(content, bench.directory / "served" / "blob")
    return content


def _write(content: Content, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file, content.file.open("rb") as source:
        file.write(content.prefix)
        source.seek(len(content.prefix))
        while part := source.read(4 * 1024 * 1024):
            file.write(part)


def push_image(bench: Bench, server: Server) -> None:
    described = []
    for name, media_type in (("config", _CONFIG_TYPE), ("layer", _LAYER_TYPE)):
        file = bench.directory / name
        file.write_bytes(b"{}".ljust(_SMALL_BYTES) if name == "config" else bytes(_SMALL_BYTES))
        content = Content.fresh(file)
        client.put_blob(server.port, NAME, content)
        fields = {"mediaType": media_type, "digest": content.digest, "size": content.size}
        described.append(fields)
    config, layer = described
    document = {"schemaVersion": 2, "mediaType": client.MANIFEST}
    client.put_manifest(server.port, NAME, TAG, {**document, "config": config, "layers": [layer]})


def _getter(server: Server, target: str, size: int, connections: int) -> Callable[[], float]:
    def turn() -> float:
        with ThreadPoolExecutor(connections) as pool:
            each = [pool.submit(client.get, server.port, target, size) for _ in range(connections)]
            return connections * size / max(one.result() for one in each) / 1e6

    return turn


def _putter(server: Server, source: Path) -> Callable[[], float]:
    def turn() -> float:
        content = Content.fresh(source)
        # Unwritten bytes of an earlier turn must not be written during this one.
        os.sync()
        return content.size / client.put_blob(server.port, NAME, content) / 1e6

    return turn


def requester(server: Server, target: str, *fields: str) -> Callable[[], float]:
    command = [program("wrk"), "-t1", "-c16", f"-d{_WRK_SECONDS}s"]
    for field in fields:
        command += ["-H", field]
    command.append(f"http://127.0.0.1:{server.port}{target}")

    def turn() -> float:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
        if found is None or "Non-2xx" in done.stdout:
            raise RuntimeError(f"wrk against {server.name} said:\n{done.stdout}")
        return float(found[1])

    return turn


def medians(turns: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Each server once, unmeasured, then round by round in turn."""
    for turn in turns.values():
        turn()
    found: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            found[name].append(turn())
    return {name: statistics.median(values) for name, values in found.items()}


def _size(size: int) -> str:
    gib = size / 1024**3
    return f"{gib:g} GiB" if gib >= 1 else f"{size / 1024**2:g} MiB"
