"""Credentials files: their order, their keys, and what is wrong with one."""

import json
from pathlib import Path
from typing import Any

import pytest

from runner.credentials import Credentials, CredentialsInvalid, CredentialStore
from tests.runner.credentials.conftest import ALICE, entry, write


def test_saving_keeps_everything_else_in_the_file(home: Path) -> None:
    file = home / ".docker/config.json"
    write(file, {"auths": {"other.test": ALICE.to_entry()}, "detachKeys": "ctrl-q"})
    store = CredentialStore({"HOME": str(home)})

    store.save("registry.test", Credentials("bob", "b"))

    document = json.loads(file.read_text())
    assert document["detachKeys"] == "ctrl-q"
    assert set(document["auths"]) == {"other.test", "registry.test"}


def test_the_files_are_asked_in_their_order(home: Path) -> None:
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
    places = [
        home / "run/containers/auth.json",
        home / ".config/containers/auth.json",
        home / ".docker/config.json",
    ]
    for number, place in enumerate(places):
        write(place, entry(Credentials(f"user{number}", "p")))

    for number, place in enumerate(places):
        found = CredentialStore(environment).find("registry.test")
        assert found == Credentials(f"user{number}", "p")
        place.unlink()
    assert CredentialStore(environment).find("registry.test") is None


def test_a_named_file_comes_first_and_is_written_to(home: Path) -> None:
    named = home / "ci/auth.json"
    store = CredentialStore({"HOME": str(home), "REGISTRY_AUTH_FILE": str(named)})

    store.save("registry.test", ALICE)

    assert "registry.test" in json.loads(named.read_text())["auths"]
    assert not (home / ".docker").exists()


def test_the_most_particular_path_wins_in_auth_json(home: Path) -> None:
    auths = {
        "registry.test": Credentials("host", "p").to_entry(),
        "registry.test/team": Credentials("team", "p").to_entry(),
        "registry.test/team/app": Credentials("app", "p").to_entry(),
    }
    write(home / ".config/containers/auth.json", {"auths": auths})
    store = CredentialStore({"HOME": str(home)})

    found = [store.find("registry.test", name) for name in ("team/app", "team/x", "x", "")]

    assert [each and each.username for each in found] == ["app", "team", "host", "host"]


@pytest.mark.parametrize("key", ["http://registry.test", "https://registry.test/v2/"])
def test_keys_may_be_written_as_urls(home: Path, key: str) -> None:
    write(home / ".docker/config.json", {"auths": {key: ALICE.to_entry()}})

    assert CredentialStore({"HOME": str(home)}).find("registry.test") == ALICE


def test_a_file_that_is_a_link_stays_one(home: Path) -> None:
    real = home / "dotfiles/config.json"
    write(real, {})
    (home / ".docker").mkdir()
    (home / ".docker/config.json").symlink_to(real)

    CredentialStore({"HOME": str(home)}).save("registry.test", ALICE)

    assert (home / ".docker/config.json").is_symlink()
    assert "registry.test" in json.loads(real.read_text())["auths"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "not JSON"),
        ("[]", "found list, expected an object"),
        ({"auths": []}, ""),
        ({"auths": 3}, "auths is int, expected an object"),
        ({"auths": {"registry.test": 3}}, "found int, expected an object"),
        ({"auths": {"registry.test": {"auth": "%%%"}}}, "auth is not base64"),
        ({"auths": {"registry.test": {"auth": "YWxpY2U="}}}, "no colon"),
        ({"auths": {"registry.test": {"identitytoken": 3}}}, "identitytoken is int"),
        ({"credHelpers": {"registry.test": "../../bin/sh"}}, "not the name of a program"),
        ({"credHelpers": {"registry.test": "absent"}}, "docker-credential-absent is configured"),
    ],
)
def test_a_file_that_is_wrong_says_how(home: Path, document: Any, said: str) -> None:
    write(home / ".docker/config.json", document)
    store = CredentialStore({"HOME": str(home)})

    if not said:
        assert store.find("registry.test") is None
        return
    with pytest.raises(CredentialsInvalid, match=said):
        store.find("registry.test")


def test_an_empty_file_is_an_empty_store(home: Path) -> None:
    write(home / ".docker/config.json", "")

    assert CredentialStore({"HOME": str(home)}).find("registry.test") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"auths":' * 4000, "nested too deeply"),
        ('{"auths":{"registry.test":{"username":"\\ud800","password":"p"}}}', "surrogate pair"),
        ("{", "not JSON"),
    ],
)
def test_a_file_that_could_not_be_sent_on_is_refused_by_its_name(
    home: Path, content: str, reason: str
) -> None:
    file = home / ".docker/config.json"
    write(file, content)

    with pytest.raises(CredentialsInvalid, match=reason) as refused:
        CredentialStore({"HOME": str(home)}).find("registry.test")

    assert str(refused.value).startswith(f"{file}: ")


def test_a_file_may_begin_with_a_byte_order_mark(home: Path) -> None:
    write(home / ".docker/config.json", "\ufeff" + json.dumps(entry(ALICE)))

    assert CredentialStore({"HOME": str(home)}).find("registry.test") == ALICE
