"""The row of access: a manifest by a Bearer token, beside the same on an open registry."""

import base64
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import client
from bench.registry_rows import NAME, TAG, Bench, medians, push_image, requester
from bench.servers import ours
from bench.table import Goal, Row

_ROBOT = "bench-robot"
_SECONDS = 10


def get_manifest_by_bearer(bench: Bench) -> Iterator[Row]:
    """GET of a manifest by its tag, 16 connections: with an access token, and without accounts."""
    accept, target = f"Accept: {client.MANIFEST}", f"/v2/{NAME}/manifests/{TAG}"
    closed_directory = bench.directory / "closed"
    with ours(closed_directory) as server:
        push_image(bench, server)
    secret = _robot(closed_directory / "root")
    with (
        ours(bench.directory / "open") as open_server,
        ours(closed_directory, anonymous="none") as closed,
    ):
        push_image(bench, open_server)
        token = _access_token(closed.port, secret)
        turns: dict[str, Callable[[], float]] = {
            "bearer": requester(closed, target, accept, f"Authorization: Bearer {token}"),
            "open": requester(open_server, target, accept),
        }
        rates = medians(turns, bench.rounds)
    goal = Goal(">=", 0.85)
    yield Row("GET manifest by Bearer", "/s", rates["bearer"], rates["open"], "--anonymous", goal)


def _robot(root: Path) -> str:
    """The secret of a robot that may pull."""
    command = [sys.executable, "-m", "registry", "robot", "add", _ROBOT, "--pull", "*"]
    command += ["--format", "json", "--root", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    secret: str = json.loads(done.stdout)["secret"]
    return secret


def _access_token(port: int, secret: str) -> str:
    basic = base64.b64encode(f"{_ROBOT}:{secret}".encode()).decode()
    url = f"http://127.0.0.1:{port}/token?service=slipway&scope=repository:{NAME}:pull"
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {basic}"})
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310  # loopback
        token: str = json.load(answer)["token"]
    return token
