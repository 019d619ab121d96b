"""RunnerSettings: who overrides whom, and every mistake at once."""

import dataclasses
import re
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runner
from runner.client.daemon import DEFAULT_SOCKET as COMMAND_SOCKET
from runner.config import DEFAULT_SOCKET, LOG_LEVELS, InvalidSettings, RunnerSettings

EXAMPLE = Path(runner.__file__).parent.parent / "runner.example.toml"


def test_the_example_is_the_defaults() -> None:
    assert RunnerSettings.load(EXAMPLE, {}, {}) == RunnerSettings()


def test_the_example_explains_every_setting_in_the_order_of_the_tree() -> None:
    lines = EXAMPLE.read_text().splitlines()

    # A setting whose default is that nothing is said can only be shown in a comment.
    shown = [found[1] for line in lines if (found := re.match(r"(?:# )?(\w+) = ", line))]
    assert shown == [field.name for field in dataclasses.fields(RunnerSettings)]
    for above, line in pairwise(lines):
        if re.match(r"(?:# )?\w+ = ", line):
            assert above.startswith("# "), line
            assert above.endswith((".", ")", ").")), above


@pytest.mark.parametrize(
    "said",
    [
        {"a.test": ["x.test", "y.test"], "b.test:5": ["z.test"]},
        "a.test=x.test, a.test=y.test,b.test:5=z.test",
    ],
)
def test_the_hosts_that_give_tokens_are_a_table(said: object) -> None:
    settings = RunnerSettings.load(None, {}, {"auth_hosts": said})

    assert settings.auth_hosts == {"a.test": ("x.test", "y.test"), "b.test:5": ("z.test",)}


def test_a_table_of_hosts_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="expected a table of registries and hosts, found 5"):
        RunnerSettings.load(None, {}, {"auth_hosts": 5})
    with pytest.raises(InvalidSettings, match="expected a string, found ''"):
        RunnerSettings.load(None, {"RUNNER_AUTH_HOSTS": "a.test"}, {})


def test_nothing_said_is_the_defaults() -> None:
    settings = RunnerSettings.load(None, {}, {})

    assert settings == RunnerSettings()
    assert settings.run_dir == Path("/run/slipway")


def test_the_command_and_the_daemon_agree_on_the_default_socket() -> None:
    assert str(DEFAULT_SOCKET) == COMMAND_SOCKET


def test_flags_are_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[runner]\nroot = "/file"\nlog_level = "error"\ndefault_registry = "file.test"\n'
        '[server]\nlisten = "for the registry"\n'
    )
    environ = {"RUNNER_ROOT": "/environment", "RUNNER_LOG_LEVEL": "debug", "PATH": "/bin"}

    settings = RunnerSettings.load(file, environ, {"root": "/flag"})

    assert settings.root == Path("/flag")
    assert settings.log_level == "debug"
    assert settings.default_registry == "file.test"


def test_the_run_directory_follows_the_socket() -> None:
    assert RunnerSettings.load(None, {}, {"socket": "/run/x/s"}).run_dir == Path("/run/x")


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[runner]\nrooot = "/x"\nparallel_downloads = 0\nlog_level = "loud"\n')

    with pytest.raises(InvalidSettings) as caught:
        RunnerSettings.load(file, {"RUNNER_ROOT": "relative"}, {"default_registry": "a b"})

    assert sorted(caught.value.mistakes) == sorted(
        [
            f"{file}: runner.rooot: no such setting (is it root?)",
            f"{file}: runner.parallel_downloads: expected at least 1, found 0",
            f"{file}: runner.log_level: expected one of debug, info, warning, error, found 'loud'",
            "RUNNER_ROOT: expected an absolute path, found 'relative'",
            "--default-registry: expected host or host:port, found 'a b'",
        ]
    )


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        ("[runner", "Expected ']'"),
        ("runner = 1", "expected a table, found 1"),
        ("x = " + "[" * 100_000, "nested too deeply"),
        (None, "No such file or directory"),
    ],
)
def test_an_unreadable_file_is_a_mistake(tmp_path: Path, content: str | None, mistake: str) -> None:
    file = tmp_path / "config.toml"
    if content is not None:
        file.write_text(content)

    with pytest.raises(InvalidSettings, match=r"config\.toml") as caught:
        RunnerSettings.load(file, {}, {})
    assert mistake in str(caught.value)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(RunnerSettings)])
def test_every_setting_is_judged_under_its_key(name: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[runner]\n{name} = false\n")

    with pytest.raises(InvalidSettings) as caught:
        RunnerSettings.load(file, {}, {})

    (mistake,) = caught.value.mistakes
    assert mistake.startswith(f"{file}: runner.{name}: expected ")


def test_a_path_holds_no_nul() -> None:
    with pytest.raises(InvalidSettings, match="without NUL characters"):
        RunnerSettings.load(None, {}, {"root": "/a\0b"})


def test_a_socket_must_fit_its_address() -> None:
    with pytest.raises(InvalidSettings, match="at most 107 bytes"):
        RunnerSettings.load(None, {}, {"socket": "/" + "x" * 200})


def test_the_run_directory_may_have_a_long_path() -> None:
    path = "/" + "x" * 200

    assert RunnerSettings.load(None, {}, {"run_dir": path}).run_dir == Path(path)


KEYS = st.sampled_from([field.name for field in dataclasses.fields(RunnerSettings)])
TEXTS = st.sampled_from(["/a", "a.test", "a=b", "a=b,c=d", "debug", "4", "1.5", "[]", '"'])
# An environment holds no NUL, and as surrogates the bytes that are not UTF-8.
VALUES = TEXTS | st.text(st.characters(exclude_characters="\0"), max_size=20)


@given(
    st.text(max_size=40) | st.lists(st.builds("{} = {}".format, KEYS, VALUES)).map("\n".join),
    st.dictionaries(KEYS.map("RUNNER_{}".format).map(str.upper), VALUES),
)
def test_any_file_and_environment_are_settings_or_refused(
    content: str, environ: dict[str, str]
) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"[runner]\n" + content.encode("utf-8", "surrogateescape"))
        file.flush()
        try:
            settings = RunnerSettings.load(Path(file.name), environ, {})
        except InvalidSettings as refusal:
            sources = (file.name, *environ)
            assert all(mistake.startswith(sources) for mistake in refusal.mistakes)
            return

    assert settings.root.is_absolute()
    assert settings.parallel_downloads >= 1
    assert settings.log_level in LOG_LEVELS


@given(st.integers(1, 999_999), st.integers(0, 999_999), st.sampled_from(LOG_LEVELS))
def test_settings_are_read_as_they_were_written(downloads: int, seconds: int, level: str) -> None:
    written = {
        "RUNNER_PARALLEL_DOWNLOADS": str(downloads),
        "RUNNER_STOP_TIMEOUT_SECONDS": str(seconds),
        "RUNNER_LOG_LEVEL": level,
    }

    assert RunnerSettings.load(None, written, {}) == RunnerSettings(
        parallel_downloads=downloads, stop_timeout_seconds=seconds, log_level=level
    )
