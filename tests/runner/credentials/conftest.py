"""A home with credentials files and a helper program."""

import json
from pathlib import Path
from typing import Any

import pytest

from runner.credentials import Credentials

ALICE = Credentials("alice", "pass:word")
TOKEN = Credentials("", "", "tok")
HELPER = """#!/bin/sh
# Keeps one secret per server in files, as real helpers do in keyrings.
cd "$(dirname "$0")" || exit 1
case "$1" in
  store) cat > given; sed -n 's/.*"ServerURL": "\\([^"]*\\)".*/\\1/p' given | tr '/:' '__' > key
         mv given "secret-$(cat key)" ;;
  get)   read -r server; file="secret-$(echo "$server" | tr '/:' '__')"
         if [ -f "$file" ]; then cat "$file"; else
           echo "credentials not found in native keychain"; exit 1; fi ;;
  erase) read -r server; rm -f "secret-$(echo "$server" | tr '/:' '__')" ;;
esac
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a program docker-credential-test in its PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    helper = directory / "docker-credential-test"
    helper.write_text(HELPER)
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    return tmp_path


def write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))


def entry(credentials: Credentials) -> dict[str, Any]:
    return {"auths": {"registry.test": credentials.to_entry()}}
