"""login and logout through the real command."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import RegistryServer
from tests.support.runner.runners import Runner

pytestmark = pytest.mark.needs_root


def test_login_keeps_and_logout_forgets(
    shared_runner: Runner, shared_registry: RegistryServer, tmp_path: Path
) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}
    environment.pop("REGISTRY_AUTH_FILE", None)

    def command(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # noqa: S603  (a fixed command of the test's own)
            shared_runner.argv(*words), input=stdin, capture_output=True, env=environment
        )

    logged_in = command(
        "login", "-u", "me", "--password-stdin", shared_registry.host, stdin=b"secret\n"
    )
    kept = json.loads((tmp_path / "config.json").read_text())
    logged_out = command("logout", shared_registry.host)

    assert logged_in.returncode == 0, logged_in.stderr
    # The registry of these tests is open to anyone.
    unchecked = b"the registry asks for no credentials, these were not checked"
    assert logged_in.stdout == b"Login Succeeded: " + unchecked + b"\n"
    assert list(kept["auths"]) == [shared_registry.host]
    assert logged_out.stdout.startswith(b"Removing login credentials")
    assert json.loads((tmp_path / "config.json").read_text())["auths"] == {}
