"""Handlers of /containers: a prune takes what its filters say, a wait answers its head at once."""

import json
import socket
import time
from pathlib import Path

import pytest

from runner.daemon.services import Services
from tests.support.runner.asked import MIDDLE, NEW, OLD, FakeContainers, ask
from tests.support.runner.runners import Runner


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({}, ""),
        ({"label": ["team"]}, "web-1"),
        ({"label": ["absent"]}, "web-2 web-1 old"),
        ({"label!": ["team"]}, "web-2 old"),
        ({"until": ["240h"]}, "web-2"),
        ({"until": ["300h"], "label!": ["keep"]}, "web-2 web-1 old"),
    ],
)
async def test_a_prune_of_containers_takes_only_what_its_filters_say(
    filters: dict[str, list[str]], kept: str, services: Services, containers: FakeContainers
) -> None:
    containers.all = (NEW, MIDDLE, OLD)

    await ask(services, "POST", "/containers/prune", filters)

    assert [one.name for one in containers.all] == kept.split()


pytestmark = [pytest.mark.needs_root, pytest.mark.takes(15)]


def test_wait_answers_its_head_before_the_container_starts(shared_runner: Runner) -> None:
    container = shared_runner("create", "busybox", "sh", "-c", "exit 4").strip()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(shared_runner.socket))
        path = f"/v1.44/containers/{container}/wait?condition=next-exit"
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
        # As docker's command: half closed, and nothing is started until the head is there.
        client.shutdown(socket.SHUT_WR)
        head = client.recv(4096)
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert b"StatusCode" not in head

        shared_runner("start", container)

        body = b""
        while chunk := client.recv(4096):
            body += chunk
    line = next(line for line in body.splitlines() if line.startswith(b"{"))
    assert json.loads(line) == {"StatusCode": 4, "Error": None}
    shared_runner("rm", container)


def test_a_client_that_leaves_does_not_stay_on_the_daemon(own_runner: Runner) -> None:
    own_runner("run", "-d", "--name", "quiet", "busybox", "sleep", "60")
    assert own_runner.server.process is not None
    descriptors = Path(f"/proc/{own_runner.server.process.pid}/fd")
    before = len(list(descriptors.iterdir()))

    for path in ("/containers/quiet/logs?follow=1&stdout=1", "/events", "/containers/quiet/wait"):
        method = "POST" if path.endswith("wait") else "GET"
        for _ in range(5):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(own_runner.socket))
                client.sendall(f"{method} {path} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
                client.recv(1000)

    deadline = time.monotonic() + 60
    while len(list(descriptors.iterdir())) > before:
        assert time.monotonic() < deadline, "connections of clients that are gone stay open"
        time.sleep(0.05)
