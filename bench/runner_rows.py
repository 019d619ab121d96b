"""The runner's rows, against docker and a dockerd of our own: pull, and run."""

import gzip
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import client
from bench.client import Content
from bench.registry_rows import Bench
from bench.servers import Missing, ours, process, program
from bench.table import Goal, Row

_NAME = "bench/debian"
_RUN_ROUNDS = 10
_SUITE = "bookworm"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, slots=True)
class Engine:
    """A command with its daemon: ``docker`` or ``runner``, the same verbs and flags."""

    name: str
    command: Sequence[str]

    def __call__(self, *arguments: str) -> None:
        done = subprocess.run([*self.command, *arguments], capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise RuntimeError(f"{self.name} {' '.join(arguments)}: {done.stderr or done.stdout}")


def pull(bench: Bench) -> Iterator[Row]:
    """The same image of Debian from the same registry; removed, and written out, in between."""
    with _engines(bench) as (runner, docker, image):
        seconds = {
            engine.name: _median(
                lambda engine=engine: engine("pull", image),  # type: ignore[misc]
                bench.rounds,
                undo=lambda engine=engine: engine("rmi", "--force", image),  # type: ignore[misc]
            )
            for engine in (runner, docker)
        }
    goal = Goal("<=", 0.6)
    name = "pull of Debian, 1 layer"
    yield Row(name, "s", seconds["runner"], seconds["docker"], "docker", goal)


def run(bench: Bench) -> Iterator[Row]:
    """From the command to the container's end and removal."""
    arguments = ("run", "--rm", "--network", "none")
    with _engines(bench) as (runner, docker, image):
        seconds = {}
        for engine in (runner, docker):
            engine("pull", image)
            engine(*arguments, image, "true")
            seconds[engine.name] = _median(
                lambda engine=engine: engine(*arguments, image, "true"),  # type: ignore[misc]
                max(bench.rounds, _RUN_ROUNDS),
            )
    goal = Goal("<=", 0.6)
    name = "run --rm, no network, 'true'"
    yield Row(name, "s", seconds["runner"], seconds["docker"], "docker", goal)


def _median(
    action: Callable[[], None], rounds: int, undo: Callable[[], None] = lambda: None
) -> float:
    found = []
    for _ in range(rounds):
        os.sync()
        started = time.perf_counter()
        action()
        found.append(time.perf_counter() - started)
        undo()
    return statistics.median(found)


@contextmanager
def _engines(bench: Bench) -> Iterator[tuple[Engine, Engine, str]]:
    """A registry with the image, a runner daemon and a dockerd, each with its own everything."""
    if os.geteuid() != 0:
        raise Missing("root")
    with ours(bench.directory / "ours") as server:
        _push_debian(bench, server.port)
        image = f"127.0.0.1:{server.port}/{_NAME}:latest"
        with _runner(bench.directory / "runner") as runner, _docker(bench.directory) as docker:
            yield runner, docker, image


@contextmanager
def _runner(directory: Path) -> Iterator[Engine]:
    command = [sys.executable, "-m", "runner"]
    endpoint = directory / "runner.sock"
    daemon = [*command, "daemon", "--root", str(directory / "root"), "--socket", str(endpoint)]
    engine = Engine("runner", [*command, "--socket", str(endpoint)])
    with process(daemon, directory, ready=lambda: _answers(engine)):
        yield engine


@contextmanager
def _docker(parent: Path) -> Iterator[Engine]:
    directory = parent / "docker"
    endpoint = f"unix://{directory / 'docker.sock'}"
    daemon = [program("dockerd"), "--host", endpoint, "--data-root", str(directory / "data")]
    daemon += ["--exec-root", str(directory / "exec"), "--pidfile", str(directory / "pid")]
    daemon += ["--bridge=none", "--iptables=false", "--ip6tables=false"]
    engine = Engine("docker", [program("docker"), "--host", endpoint])
    with process(daemon, directory, ready=lambda: _answers(engine)):
        yield engine


def _answers(engine: Engine) -> bool:
    try:
        engine("version")
    except RuntimeError:
        return False
    return True


def _push_debian(bench: Bench, port: int) -> None:
    """A root file system as Debian makes it: about 190 MB in 10,000 files, as one gzip layer."""
    tar, layer = bench.shared / "debian.tar", bench.shared / "debian.tar.gz"
    if not layer.exists():
        subprocess.run(  # noqa: S603  (a fixed command)
            [program("mmdebstrap"), "--quiet", "--variant=important", _SUITE, str(tar)], check=True
        )
        layer.write_bytes(gzip.compress(tar.read_bytes(), 6))
    diff_id = f"sha256:{hashlib.sha256(tar.read_bytes()).hexdigest()}"
    config = bench.directory / "config"
    config.write_text(
        json.dumps(
            {
                "architecture": _architecture(),
                "os": "linux",
                "config": {"Cmd": ["bash"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
                "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            }
        )
    )
    described = []
    for path, media_type in ((config, _CONFIG_TYPE), (layer, _LAYER_TYPE)):
        content = Content.of(path)
        client.put_blob(port, _NAME, content)
        fields = {"mediaType": media_type, "digest": content.digest, "size": content.size}
        described.append(fields)
    manifest = {"schemaVersion": 2, "mediaType": client.MANIFEST}
    client.put_manifest(
        port, _NAME, "latest", {**manifest, "config": described[0], "layers": described[1:]}
    )


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
