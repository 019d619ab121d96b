"""Which credentials go along with a reference, and what a broken file leads to."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.cli.commands.transfer import credentials_for
from runner.client import DaemonClient
from runner.credentials import Credentials

HOSTS = ("registry.test:5000", "Evil", "docker.io", "localhost", "other.test")


class SomeDaemon(DaemonClient):
    """Knows nothing but its default registry."""

    def info(self) -> dict[str, Any]:
        return {"IndexServerAddress": "registry.test:5000"}


@pytest.fixture(autouse=True)
def _known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user for each host, called like it."""
    file = tmp_path / "auth.json"
    auths = {host: Credentials(host.replace(":", "-"), "secret").to_entry() for host in HOSTS}
    file.write_text(json.dumps({"auths": auths}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(file))


@pytest.mark.parametrize(
    ("reference", "host"),
    [
        ("app", "registry.test:5000"),
        ("team/app:1", "registry.test:5000"),
        ("registry.test:5000/app", "registry.test:5000"),
        ("Evil/app", "Evil"),
        ("localhost/app", "localhost"),
        ("docker.io/app", "docker.io"),
        ("index.docker.io/library/app", "docker.io"),
        ("other.test/app@sha256:" + "0" * 64, "other.test"),
    ],
)
def test_credentials_are_those_of_the_host_that_the_daemon_goes_to(
    reference: str, host: str
) -> None:
    header = credentials_for(SomeDaemon("/nowhere"), reference)

    assert header is not None
    assert Credentials.from_header(header, host) == Credentials(host.replace(":", "-"), "secret")


@pytest.mark.parametrize("reference", ["unknown.test/app", "Bad_/app", "registry.test:5000/App"])
def test_for_other_hosts_and_for_what_is_no_reference_there_are_none(reference: str) -> None:
    assert credentials_for(SomeDaemon("/nowhere"), reference) is None


@pytest.mark.parametrize("content", ["{", '{"auths": 3}', '{"auths": {"registry.test": 7}}', "[]"])
@pytest.mark.parametrize("words", [("pull", "registry.test/app"), ("logout", "registry.test")])
def test_a_broken_file_is_told_in_a_line(
    tmp_path: Path, content: str, words: tuple[str, str]
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text(content)
    environment = {**os.environ, "REGISTRY_AUTH_FILE": str(broken)}
    command = [sys.executable, "-m", "runner", "--socket", "/nowhere", *words]

    done = subprocess.run(command, env=environment, capture_output=True, text=True)  # noqa: S603

    lines = done.stderr.splitlines()
    if words[0] == "pull" or content != '{"auths": {"registry.test": 7}}':
        assert done.returncode == 1
        assert lines[0].startswith(f"Error: {broken}: ")
    assert len(lines) <= 1
