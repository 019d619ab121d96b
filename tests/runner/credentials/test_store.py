"""CredentialStore: the standard files in their order, and helper programs."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from runner.credentials import Credentials, CredentialsInvalid, CredentialStore

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


def test_a_new_login_replaces_the_entry_that_would_hide_it(home: Path) -> None:
    earlier = home / ".config/containers/auth.json"
    write(earlier, entry(Credentials("old", "old")))
    store = CredentialStore({"HOME": str(home)})

    store.save("registry.test", ALICE)

    assert store.find("registry.test") == ALICE
    assert str(earlier) == store.save("registry.test", ALICE).where


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


@pytest.mark.parametrize(
    "key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"]
)
def test_docker_hub_is_known_by_all_its_names(home: Path, key: str) -> None:
    write(home / ".docker/config.json", {"auths": {key: ALICE.to_entry()}})

    assert CredentialStore({"HOME": str(home)}).find("docker.io", "library/alpine") == ALICE


@pytest.mark.parametrize("key", ["http://registry.test", "https://registry.test/v2/"])
def test_keys_may_be_written_as_urls(home: Path, key: str) -> None:
    write(home / ".docker/config.json", {"auths": {key: ALICE.to_entry()}})

    assert CredentialStore({"HOME": str(home)}).find("registry.test") == ALICE


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


def test_logging_out_forgets_the_host_everywhere(home: Path) -> None:
    write(home / ".config/containers/auth.json", entry(ALICE))
    write(home / ".docker/config.json", entry(ALICE))
    store = CredentialStore({"HOME": str(home)})

    assert store.remove("registry.test")
    assert store.find("registry.test") is None
    assert not store.remove("registry.test")


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


def test_secrets_are_not_in_what_is_printed() -> None:
    assert "pass" not in repr(ALICE)
    assert "tok" not in repr(TOKEN)
