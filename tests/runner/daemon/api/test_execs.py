"""Handlers of /exec: the output is framed as the start asks."""

import json
import socket

import pytest

from tests.support.runner.runners import Runner

pytestmark = [pytest.mark.needs_root, pytest.mark.takes(15)]


def test_an_exec_is_framed_as_its_start_asks(shared_runner: Runner) -> None:
    container = shared_runner("run", "-d", "busybox", "sleep", "60").strip()
    body = {"Cmd": ["echo", "hi"], "AttachStdout": True, "Tty": False}
    started = {}
    for tty in (False, True):
        made = _post(shared_runner, f"/containers/{container}/exec", body)
        identifier = json.loads(made.partition(b"\r\n\r\n")[2])["Id"]
        answer = _post(shared_runner, f"/exec/{identifier}/start", {"Tty": tty})
        started[tty] = answer.partition(b"\r\n\r\n")[2]

    assert started == {False: b"\x01\0\0\0\0\0\0\x03hi\n", True: b"hi\n"}
    shared_runner("rm", "-f", container)


def _post(runner: Runner, path: str, document: object) -> bytes:
    """The whole answer, to the end of the connection."""
    content = json.dumps(document).encode()
    head = f"POST /v1.44{path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(runner.socket))
        client.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(4096), b""))
