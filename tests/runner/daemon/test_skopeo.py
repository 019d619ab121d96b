"""skopeo's docker-daemon: transport, whose requests are of version 1.22."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.runner.runners import Runner

pytestmark = pytest.mark.needs_root


def skopeo(*words: str) -> str:
    if shutil.which("skopeo") is None:
        pytest.skip("there is no skopeo; scripts/test installs it")
    done = subprocess.run(["skopeo", *words], capture_output=True, text=True, timeout=60)  # noqa: S603, S607 - a fixed command
    assert done.returncode == 0, f"skopeo {' '.join(words)}: {done.stderr}"
    return done.stdout


def test_an_image_leaves_the_daemon_and_comes_back(shared_runner: Runner, tmp_path: Path) -> None:
    host, directory = shared_runner.docker_host, f"dir:{tmp_path / 'image'}"
    name = "localhost:5000/skopeo/busybox:1"

    skopeo(
        *("--insecure-policy", "copy", "--src-daemon-host", host),
        *("docker-daemon:busybox:latest", directory),
    )
    skopeo(
        *("--insecure-policy", "copy", "--dest-daemon-host", host),
        *(directory, f"docker-daemon:{name}"),
    )
    shown = json.loads(skopeo("inspect", "--daemon-host", host, f"docker-daemon:{name}"))

    assert shown["Os"] == "linux"
    assert shared_runner("run", "--rm", "--network", "none", name, "echo", "back") == "back\n"
    shared_runner("rmi", name)
