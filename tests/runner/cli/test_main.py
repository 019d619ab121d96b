"""The command tree: what it imports, what it says, and at what cost."""

import subprocess
import sys
from importlib import import_module

import pytest

from runner.cli.main import COMMANDS, main

# Each costs more than the command's own code, or belongs to another room.
HEAVY = ("click", "rich", "httpx2", "dataclasses", "inspect", "asyncio", "http.client", "urllib",
         "subprocess", "h11", "shutil", "logging", "runner.credentials", "runner.config",
         "runner.schema", "runner.errors", "oci")  # fmt: skip


@pytest.mark.parametrize("verb", ["run", "exec", "logs"])
def test_the_quick_verbs_import_nothing_heavy(verb: str) -> None:
    module = COMMANDS[verb][0]
    script = (
        f"import sys; import runner.cli.main, runner.cli.commands.{module}; "
        f"runner.cli.main.main(['{verb}', '--nonsense']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )

    said = subprocess.run(  # noqa: S603  (a fixed command of the test's own)
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )

    assert said.stdout.strip() == "[]"


def test_help_imports_nothing_heavy_and_no_verb() -> None:
    """Imports are the cost of `runner --help` beside Python's own start."""
    script = (
        "import sys; import runner.cli.main; runner.cli.main.main(['--help']); "
        f"print([name for name in sys.modules if name in {HEAVY!r}"
        " or name.startswith('runner.cli.commands.')])"
    )

    said = subprocess.run(  # noqa: S603  (a fixed command of the test's own)
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )

    assert "pull" in said.stdout
    assert said.stdout.splitlines()[-1] == "[]"


def test_every_verb_has_its_module_and_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    for verb, (module, summary) in COMMANDS.items():
        if verb == "daemon":
            continue
        assert verb in import_module(f"runner.cli.commands.{module}").COMMANDS
        with pytest.raises(SystemExit) as caught:
            main([verb, "--help"])
        assert caught.value.code == 0
        said = capsys.readouterr().out
        assert said.startswith(f"usage: runner {verb}")
        assert summary.split()[0] in said


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0

    said = capsys.readouterr().out
    assert all(f"\n  {verb} " in said for verb in COMMANDS)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nonsense"], "Error: unknown command 'nonsense'\nSee 'runner --help'.\n"),
        (["--nonsense", "ps"], "Error: unknown option --nonsense\nSee 'runner --help'.\n"),
        (["--socket"], "Error: --socket: expected a path\nSee 'runner --help'.\n"),
        (["rm"], "required: CONTAINER\nSee 'runner rm --help'.\n"),
        (["container", "nonsense"], "Error: unknown command 'nonsense'"),
    ],
)
def test_usage_errors_exit_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert sentence in capsys.readouterr().err


def test_run_answers_with_125_when_a_file_it_needs_is_not_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "--env-file", "/not/here", "busybox"]) == 125
    assert capsys.readouterr().err == "Error: /not/here: No such file or directory\n"
