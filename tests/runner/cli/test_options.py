"""run's flags → the create body, as tables."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.arguments import Parser, UsageError
from runner.cli.commands.run import COMMANDS
from runner.cli.options import create_body
from runner.schema import ContainerOptions

ENVIRON = {"HOME": "/home/me", "SHELL": "/bin/sh"}


def body(*words: str, attached: bool = True) -> dict[str, Any]:
    parser = Parser("run", "")
    COMMANDS["run"][0](parser)
    return create_body(parser.read(words), attached=attached, environ=ENVIRON)


def test_an_image_alone_asks_for_nothing_else() -> None:
    made = body("alpine")

    assert made["Image"] == "alpine"
    assert made["Cmd"] is None
    assert made["Entrypoint"] is None
    assert made["HostConfig"] == {"NetworkMode": "default"}
    assert ContainerOptions.from_json(made) == ContainerOptions(
        "alpine", attach_stdout=True, attach_stderr=True
    )


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["-e", "A=1", "-e", "B=", "--env=A=2"], "Env", ["A=2", "B="]),
        (["-e", "SHELL", "-e", "ABSENT"], "Env", ["SHELL=/bin/sh"]),
        (["-w", "/src"], "WorkingDir", "/src"),
        (["-u", "1000:1000"], "User", "1000:1000"),
        (["-h", "box"], "Hostname", "box"),
        (["--entrypoint", "sh"], "Entrypoint", ["sh"]),
        (["--entrypoint", ""], "Entrypoint", [""]),
        (["-l", "a=1", "--label", "b"], "Labels", {"a": "1", "b": ""}),
        (["-t"], "Tty", True),
        (["-i"], "OpenStdin", True),
        (["-it"], "StdinOnce", True),
        (["--stop-signal", "USR1"], "StopSignal", "USR1"),
        (["--stop-timeout", "3"], "StopTimeout", 3),
        (["-v", "/data"], "Volumes", {"/data": {}}),
    ],
)
def test_flags_of_the_process(words: list[str], key: str, value: object) -> None:
    assert body(*words, "alpine")[key] == value


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["--rm"], "AutoRemove", True),
        (["--read-only"], "ReadonlyRootfs", True),
        (["--init"], "Init", True),
        (["-v", "/a:/b:ro", "-v", "data:/d"], "Binds", ["/a:/b:ro", "data:/d"]),
        (["--tmpfs", "/t:size=1m", "--tmpfs", "/u"], "Tmpfs", {"/t": "size=1m", "/u": ""}),
        (["-m", "64m"], "Memory", 64 * 1024 * 1024),
        (["--memory", "1.5g"], "Memory", 1_610_612_736),
        (["--memory-swap", "-1"], "MemorySwap", -1),
        (["--shm-size", "128KiB"], "ShmSize", 131_072),
        (["--cpus", "1.5"], "NanoCpus", 1_500_000_000),
        (["--pids-limit", "100"], "PidsLimit", 100),
        (["--pids-limit", "-1"], "PidsLimit", -1),
        (["--cap-add", "NET_ADMIN", "--cap-add", "ALL"], "CapAdd", ["NET_ADMIN", "ALL"]),
        (["--cap-drop", "ALL"], "CapDrop", ["ALL"]),
        (["--security-opt", "no-new-privileges"], "SecurityOpt", ["no-new-privileges"]),
        (["--security-opt", "seccomp=unconfined"], "SecurityOpt", ["seccomp=unconfined"]),
        (["--network", "host"], "NetworkMode", "host"),
        (["--net=none"], "NetworkMode", "none"),
        (["--ulimit", "nofile=9"], "Ulimits", [{"Name": "nofile", "Soft": 9, "Hard": 9}]),
        (["--ulimit", "core=0:5"], "Ulimits", [{"Name": "core", "Soft": 0, "Hard": 5}]),
        (["--sysctl", "net.a=1"], "Sysctls", {"net.a": "1"}),
        (
            ["--mount", "type=bind,source=/a,target=/b,readonly"],
            "Mounts",
            [{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}],
        ),
        (
            ["--mount", "src=v,dst=/v,volume-nocopy"],
            "Mounts",
            [{"Type": "volume", "Source": "v", "Target": "/v", "VolumeOptions": {"NoCopy": True}}],
        ),
        (
            ["--mount", "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770"],
            "Mounts",
            [
                {
                    "Type": "tmpfs",
                    "Target": "/t",
                    "TmpfsOptions": {"SizeBytes": 1_048_576, "Mode": 0o1770},
                }
            ],
        ),
    ],
)
def test_flags_of_the_host(words: list[str], key: str, value: object) -> None:
    made = body(*words, "alpine")

    assert made["HostConfig"][key] == value
    assert ContainerOptions.from_json(made).image == "alpine"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["alpine", "ls", "-l", "--rm"], ["ls", "-l", "--rm"]),
        (["--rm", "alpine", "--version"], ["--version"]),
        (["alpine", "sh", "-c", "x", "--", "y"], ["sh", "-c", "x", "--", "y"]),
        (["alpine", "--", "x"], ["--", "x"]),
        (["alpine", "-e", "A=1"], ["-e", "A=1"]),
        (["alpine", "echo", ""], ["echo", ""]),
    ],
)
def test_after_the_image_everything_is_the_command(words: list[str], command: list[str]) -> None:
    made = body(*words)

    assert made["Cmd"] == command
    assert made["Env"] == []
    assert "AutoRemove" not in made["HostConfig"] or words[0] == "--rm"


@pytest.mark.parametrize(
    ("word", "value"), [("--rm=true", True), ("--rm=false", None), ("--rm", True)]
)
def test_a_flag_may_be_given_its_value(word: str, value: bool | None) -> None:
    assert body(word, "alpine")["HostConfig"].get("AutoRemove") is value


def test_a_detached_container_attaches_nothing() -> None:
    made = body("-di", "alpine", attached=False)

    assert made["OpenStdin"] is True
    assert made["StdinOnce"] is False
    assert made["AttachStdout"] is False


def test_environment_files_come_first_and_may_have_comments(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# comment\n\nA=file\nB=b c\n  C=indented\nHOME\nABSENT\n")

    made = body("--env-file", str(file), "-e", "A=flag", "alpine")

    assert made["Env"] == ["A=flag", "B=b c", "C=indented", "HOME=/home/me"]


def test_a_byte_order_mark_belongs_to_no_name(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_bytes(b"\xef\xbb\xbfA=1\r\nB=2\r\n")

    assert body("--env-file", str(file), "alpine")["Env"] == ["A=1", "B=2"]


@pytest.mark.parametrize("line", ["A B=1", "export A=1", "A =1", "A\tB"])
def test_a_name_with_white_space_in_an_environment_file_is_refused(
    tmp_path: Path, line: str
) -> None:
    file = tmp_path / "env"
    file.write_text(f"{line}\n")

    with pytest.raises(UsageError, match=r"env: variable '.*' contains white space"):
        body("--env-file", str(file), "alpine")


def test_a_seccomp_profile_travels_as_its_content(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text('{"defaultAction":"SCMP_ACT_ALLOW"}')

    made = body("--security-opt", f"seccomp={profile}", "alpine")

    assert made["HostConfig"]["SecurityOpt"] == ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']


def test_a_relative_source_is_a_path_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert body("-v", "./x:/x", "alpine")["HostConfig"]["Binds"] == [f"{tmp_path}/x:/x"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "required: IMAGE"),
        (["--nonsense", "alpine"], "--nonsense"),
        (["--memory", "much", "alpine"], "invalid size 'much'"),
        (["--memory", "5x", "alpine"], "invalid size '5x'"),
        (["--cpus", "-1", "alpine"], "invalid number of CPUs '-1'"),
        (["--pids-limit", "\u0661", "alpine"], "invalid number '\u0661'"),
        (["--pull", "sometimes", "alpine"], "invalid choice: 'sometimes'"),
        (["-e", "=x", "alpine"], "invalid environment variable '=x'"),
        (["--mount", "type=tmpfs,target=/t,tmpfs-size=1_000", "alpine"], "invalid size '1_000'"),
        (["--ulimit", "nofile=1_0", "alpine"], "--ulimit: invalid 'nofile=1_0'"),
        (["--label", "=x", "alpine"], "--label: invalid '=x'"),
        (["--name"], "expected one argument"),
    ],
)
def test_senseless_options_are_a_usage_error(words: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        body(*words)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--mount", "type=bind,source=/a"],
            "--mount: 'type=bind,source=/a' has no target",
        ),
        (
            ["--mount", "type=bind,size=1"],
            "--mount: unknown key 'size' in 'type=bind,size=1'",
        ),
        (
            ["--mount", "target=/t,ro=perhaps"],
            "--mount: invalid ro=perhaps: expected true or false",
        ),
        (
            ["--mount", "type=tmpfs,target=/t,tmpfs-size=much"],
            "--mount: tmpfs-size: invalid size 'much': expected a number and b, k, m, g",
        ),
        *(
            (
                ["--mount", f"type=tmpfs,target=/t,tmpfs-mode={mode}"],
                f"--mount: invalid tmpfs-mode={mode}: expected octal digits",
            )
            for mode in ("", "8", "-1", "0o7", "1_0", " 7", "\u0667", "777777")
        ),
        (
            ["--ulimit", "nofile"],
            "--ulimit: invalid 'nofile': expected NAME=SOFT[:HARD]",
        ),
        (
            ["--ulimit", "nofile=1:x"],
            "--ulimit: invalid 'nofile=1:x': expected NAME=SOFT[:HARD]",
        ),
        (["--label", "=x"], "--label: invalid '=x': expected KEY=VALUE"),
        (["-e", "=x"], "invalid environment variable '=x': expected KEY=VALUE"),
    ],
)
def test_a_usage_error_says_which_option_is_wrong(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        body(*words, "alpine")

    assert str(caught.value) == message


KEYS = st.sampled_from(
    ["type", "source", "target", "readonly", "volume-nocopy", "tmpfs-size", "tmpfs-mode", "ro"]
)
VALUES = st.sampled_from(["bind", "/a", "true", "0", "1777", "1_0", "-1", "64m", "0o7", "nan"])
MODES = st.builds("tmpfs-mode={}".format, st.integers(-9, 0o77777) | st.just("0o7"))
FIELDS = MODES | st.builds("{}={}".format, KEYS, VALUES | st.text(max_size=5)) | st.text(max_size=5)


MOUNTS = st.lists(FIELDS, max_size=3).map(lambda fields: ",".join(["target=/t", *fields]))


@given(MOUNTS | st.text())
def test_any_mount_is_read_or_a_usage_error(text: str) -> None:
    try:
        [mount] = body(f"--mount={text}", "alpine")["HostConfig"]["Mounts"]
    except UsageError as refusal:
        assert str(refusal).startswith("--mount: ")
        return

    assert {"Type", "Target"} <= mount.keys()
    assert 0 <= mount.get("TmpfsOptions", {}).get("Mode", 0) <= 0o77777
    assert mount.get("ReadOnly", False) in (True, False)


@given(st.integers(0, 0o77777), st.integers(0, 1 << 40), st.booleans())
def test_a_mount_is_read_as_it_was_written(mode: int, size: int, read_only: bool) -> None:
    text = f"type=tmpfs,target=/t,readonly={read_only},tmpfs-mode={mode:o},tmpfs-size={size}"

    [mount] = body("--mount", text.replace("T", "t").replace("F", "f"), "alpine")["HostConfig"][
        "Mounts"
    ]

    assert mount == {
        "Type": "tmpfs",
        "Target": "/t",
        "ReadOnly": read_only,
        "TmpfsOptions": {"Mode": mode, "SizeBytes": size},
    }
