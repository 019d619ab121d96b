import pytest

from runner.errors import BadRequest
from runner.schema import ExecOptions


def test_an_exec_refuses_what_it_would_forget() -> None:
    with pytest.raises(BadRequest, match="Capabilities is not supported"):
        ExecOptions.from_json({"Cmd": ["ls"], "Capabilities": ["ALL"]})


def test_an_exec_needs_a_command() -> None:
    with pytest.raises(BadRequest, match="No exec command specified"):
        ExecOptions.from_json({"Cmd": []})


def test_an_exec_is_read() -> None:
    document = {"Cmd": ["ls", "-l"], "Env": ["A=1"], "User": "1:1", "Tty": True, "Detach": False}

    assert ExecOptions.from_json(document) == ExecOptions(
        command=("ls", "-l"), env=("A=1",), user="1:1", tty=True
    )
