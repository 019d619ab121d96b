"""CredentialStore: the standard files in their order, and helper programs."""

import base64
import json
import stat
from pathlib import Path

import pytest

from runner.credentials import Credentials, CredentialStore
from tests.runner.credentials.conftest import ALICE, TOKEN, entry, write


def test_saved_credentials_are_found_by_us_and_readable_by_docker(home: Path) -> None:
    store = CredentialStore({"HOME": str(home)})

    saved = store.save("registry.test:5000", ALICE)

    file = home / ".docker/config.json"
    assert saved.where == str(file)
    assert saved.plain
    assert store.find("registry.test:5000") == ALICE
    assert json.loads(file.read_text()) == {
        "auths": {"registry.test:5000": {"auth": base64.b64encode(b"alice:pass:word").decode()}}
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_credentials_are_for_the_exact_host_and_port(home: Path) -> None:
    store = CredentialStore({"HOME": str(home)})
    store.save("registry.test:5000", ALICE)

    for other in ("registry.test", "registry.test:5001", "evil.registry.test:5000", "test:5000"):
        assert store.find(other) is None


def test_a_new_login_replaces_the_entry_that_would_hide_it(home: Path) -> None:
    earlier = home / ".config/containers/auth.json"
    write(earlier, entry(Credentials("old", "old")))
    store = CredentialStore({"HOME": str(home)})

    store.save("registry.test", ALICE)

    assert store.find("registry.test") == ALICE
    assert str(earlier) == store.save("registry.test", ALICE).where


@pytest.mark.parametrize(
    "key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"]
)
def test_docker_hub_is_known_by_all_its_names(home: Path, key: str) -> None:
    write(home / ".docker/config.json", {"auths": {key: ALICE.to_entry()}})

    assert CredentialStore({"HOME": str(home)}).find("docker.io", "library/alpine") == ALICE


def test_logging_out_forgets_the_host_everywhere(home: Path) -> None:
    write(home / ".config/containers/auth.json", entry(ALICE))
    write(home / ".docker/config.json", entry(ALICE))
    store = CredentialStore({"HOME": str(home)})

    assert store.remove("registry.test")
    assert store.find("registry.test") is None
    assert not store.remove("registry.test")


def test_secrets_are_not_in_what_is_printed() -> None:
    assert "pass" not in repr(ALICE)
    assert "tok" not in repr(TOKEN)
