"""Settings: file under environment under flags, and every mistake at once."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.config import Address, Settings, SettingsInvalid, load_settings


def written(directory: Path, text: str) -> Path:
    file = directory / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def problems_of(
    file: Path | None = None,
    environment: dict[str, str] | None = None,
    flags: dict[str, str] | None = None,
) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(file, environment, flags)
    return caught.value.problems


def test_nothing_given_is_the_defaults() -> None:
    assert load_settings() == Settings()


def test_flags_are_over_the_environment_over_the_file(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[server]\nlisten = "127.0.0.1:1"\nidle_seconds = 1\n[storage]\nroot = "/file"\n'
        '[manifests]\nsparse = "any"\n',
    )
    environment = {"REGISTRY_SERVER__LISTEN": "127.0.0.1:2", "REGISTRY_STORAGE__ROOT": "/env"}
    flags = {"server.listen": "127.0.0.1:3"}

    settings = load_settings(file, environment, flags)

    assert settings.server.listen == Address("127.0.0.1", 3)
    assert settings.storage.root == Path("/env")
    assert settings.server.idle_seconds == 1.0
    assert settings.manifests.sparse == "any"
    assert settings.logs == Settings().logs


def test_all_mistakes_are_told_together_with_their_keys(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "[server]\nlistn = 5\nidle_seconds = 'long'\n[storage]\nroot = 5\n[strage]\nx = 1\n"
        "[manifests]\nsparse = 'maybe'\n[logs]\nrequests = 1\n[empty]\n",
    )
    environment = {"REGISTRY_SERVER__BODY_BYTES_PER_SECOND": "-1"}

    problems = problems_of(file, environment, {"server.listen": "5000"})

    assert set(problems) == {
        f"{file}: server.listn: no such setting (is it server.listen?)",
        f"{file}: server.idle_seconds: 'long': expected a number",
        f"{file}: storage.root: 5: expected a text that is not empty",
        f"{file}: strage.x: no such setting (is it storage.root?)",
        f"{file}: manifests.sparse: 'maybe': expected one of refuse, index, any",
        f"{file}: logs.requests: 1: expected true or false",
        f"{file}: empty: no such section",
        "REGISTRY_SERVER__BODY_BYTES_PER_SECOND: '-1': expected a number of at least 0",
        "server.listen: '5000': expected HOST:PORT, such as 127.0.0.1:5000 or [::1]:5000",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SERVER__IDLE_SECONDS", "nan"),
        ("SERVER__IDLE_SECONDS", "inf"),
        ("SERVER__IDLE_SECONDS", "0"),
        ("SERVER__IDLE_SECONDS", "1_0"),
        ("SERVER__BODY_BYTES_PER_SECOND", "1.5"),
        ("SERVER__BODY_BYTES_PER_SECOND", "\u0663"),
        ("SERVER__BODY_BYTES_PER_SECOND", "9" * 5000),
        ("LOGS__REQUESTS", "yes"),
        ("LOGS__LEVEL", "INFO"),
        ("STORAGE__ROOT", ""),
        ("STORAGE__ROOT", "a\0b"),
        ("ACCESS__ANONYMOUS", "admin"),
        ("ACCESS__", "x"),
        ("__", "x"),
        ("SERVER__LISTEN__HOST", "x"),
    ],
)
def test_the_environments_mistakes_bear_its_names(name: str, text: str) -> None:
    (problem,) = problems_of(environment={f"REGISTRY_{name}": text})

    assert problem.startswith(f"REGISTRY_{name}: ")


def test_other_programs_variables_are_left_alone() -> None:
    environment = {"REGISTRY_AUTH_FILE": "/x", "REGISTRY_HTTP_ADDR": ":5000", "HOME": "/root"}

    assert load_settings(environment=environment) == Settings()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a = [", "not TOML"),
        ("server = 5", "no such setting"),
        ("[server.listen]\nhost = 'x'", "expected a text"),
        ("[logs]\nlevel = []", "expected one of"),
        ("[server]\nidle_seconds = true", "expected a number"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: str, problem: str) -> None:
    file = written(tmp_path, content)

    (found,) = problems_of(file)

    assert found.startswith(f"{file}: ")
    assert problem in found


def test_a_file_that_is_not_there_or_not_text_says_so(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")

    assert "No such file" in problems_of(tmp_path / "absent")[0]
    assert "not TOML" in problems_of(binary)[0]


@pytest.mark.parametrize(
    ("text", "is_loopback"),
    [
        ("127.0.0.1:5000", True),
        ("127.9.9.9:0", True),
        ("[::1]:5000", True),
        ("localhost:65535", True),
        ("0.0.0.0:5000", False),
        ("[::]:5000", False),
        ("192.168.0.1:80", False),
        ("registry.example:443", False),
        ("localhost.evil.example:443", False),
    ],
)
def test_an_address_knows_whether_other_machines_can_reach_it(text: str, is_loopback: bool) -> None:
    address = Address.parse(text)

    assert str(address) == text
    assert address.is_loopback is is_loopback


@pytest.mark.parametrize(
    "text",
    ["", "5000", ":5000", "host", "host:", "host:x", "host:65536", "::1:5000", "[::1]", "h:+5"],
)
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        Address.parse(text)


@given(st.text(max_size=50))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = Address.parse(text)
    except ValueError:
        return
    assert Address.parse(str(address)) == address
