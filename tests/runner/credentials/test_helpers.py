"""Credential helpers: programs that keep secrets out of the files."""

import json
from pathlib import Path

import pytest

from runner.credentials import CredentialsInvalid, CredentialStore
from tests.runner.credentials.conftest import ALICE, TOKEN, write


def test_a_helper_keeps_the_secret_out_of_the_file(home: Path) -> None:
    file = home / ".docker/config.json"
    write(file, {"credHelpers": {"registry.test": "test"}})
    store = CredentialStore({"HOME": str(home)})

    saved = store.save("registry.test", ALICE)

    assert not saved.plain
    assert saved.where == "docker-credential-test"
    assert json.loads(file.read_text())["auths"] == {"registry.test": {}}
    assert store.find("registry.test") == ALICE
    assert store.remove("registry.test")
    assert store.find("registry.test") is None


def test_a_store_for_every_host_is_asked_too(home: Path) -> None:
    write(home / ".docker/config.json", {"credsStore": "test"})
    store = CredentialStore({"HOME": str(home)})

    store.save("docker.io", TOKEN)

    assert store.find("docker.io") == TOKEN
    assert (home / "bin/secret-https___index.docker.io_v1_").exists()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("head -c 40000 /dev/zero | tr '\\0' '['", "not JSON"),
        ("""printf '{"Username":"\\\\ud800","Secret":"s"}'""", "not JSON"),
        ('printf \'{"Username":"\\377"}\'', "not text"),
    ],
)
def test_a_helpers_answer_that_could_not_be_sent_on_is_refused(
    home: Path, answer: str, reason: str
) -> None:
    (home / "bin/docker-credential-test").write_text(f"#!/bin/sh\n{answer}\n")
    write(home / ".docker/config.json", {"credsStore": "test"})

    with pytest.raises(CredentialsInvalid, match=reason):
        CredentialStore({"HOME": str(home)}).find("registry.test")
