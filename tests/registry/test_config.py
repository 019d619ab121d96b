"""Settings: file under environment under flags, and every mistake at once."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import app
from registry.config import Address, Bounds, Settings, SettingsInvalid, load_settings
from registry.storage.system_clock import SystemClock


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


def test_all_mistakes_are_reported_together_with_their_keys(tmp_path: Path) -> None:
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
        "REGISTRY_SERVER__BODY_BYTES_PER_SECOND: '-1': expected a number from 0 to 1099511627776",
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


NUMBERS = [
    (f"{section.name}.{entry.name}", entry.metadata["bounds"])
    for section in dataclasses.fields(Settings)
    for entry in dataclasses.fields(getattr(Settings(), section.name))
    if entry.type in (int, float)
]


@pytest.mark.parametrize(("key", "bounds"), NUMBERS)
def test_every_number_has_bounds_and_works_at_both(key: str, bounds: Bounds) -> None:
    section, name = key.split(".")
    for value in (bounds.least, bounds.most):
        settings = load_settings(flags={key: str(value)})

        assert getattr(getattr(settings, section), name) == value
        assert services_settings_of(settings)


def services_settings_of(settings: Settings) -> bool:
    """Whether the services get milliseconds that SQLite can keep, at any time."""
    retention = app.retention_of(settings)
    far = 2 * SystemClock().wall_ms()
    epochs = (retention.lease_epochs, retention.epochs(retention.undelete_ms))
    durations = (retention.lease_ms, retention.undelete_ms, retention.untagged_ms)
    return all(far + number < 2**63 for number in (*epochs, *durations))


@pytest.mark.parametrize(("key", "bounds"), NUMBERS)
@pytest.mark.parametrize("text", ["-1", "1e18", "9" * 400, "nan", "-inf", "inf"])
def test_a_number_out_of_bounds_is_reported_with_its_bounds(
    key: str, bounds: Bounds, text: str
) -> None:
    (problem,) = problems_of(flags={key: text})

    found, _, expected = problem.removeprefix(f"{key}: ").partition(": ")
    assert found == repr(text) or found.endswith("…")
    assert expected in (f"expected a number {bounds}", "expected a whole number")


def test_numbers_of_any_length_in_a_file_are_reported(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        f"[gc]\nlease_seconds = {'9' * 4000}\nepoch_seconds = 0x{'f' * 9000}\n"
        "[disk]\nmin_free_percent = 101\n",
    )

    problems = problems_of(file)

    assert [problem.split(": ")[1] for problem in problems] == [
        "gc.lease_seconds",
        "gc.epoch_seconds",
        "disk.min_free_percent",
    ]
    assert max(map(len, problems)) < 300 + len(str(file))


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
def test_a_malformed_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        Address.parse(text)


@given(st.text(max_size=50))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = Address.parse(text)
    except ValueError:
        return
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("https://registry.example", "https://registry.example"),
        ("https://registry.example:8443/", "https://registry.example:8443"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_an_external_url_is_scheme_and_host_or_nothing(text: str, expected: str) -> None:
    settings = load_settings(environment={"REGISTRY_SERVER__EXTERNAL_URL": text})

    assert settings.server.external_url == expected


@pytest.mark.parametrize(
    "text",
    [
        "registry.example",
        "ftp://registry.example",
        "https://",
        "https://registry.example/v2",
        "https://me@registry.example",
        'https://registry.example"',
        "https://r\N{LATIN SMALL LETTER E WITH ACUTE}gistry.example",
    ],
)
def test_another_external_url_is_refused(text: str) -> None:
    with pytest.raises(SettingsInvalid, match="expected https://HOST"):
        load_settings(flags={"server.external_url": text})
