"""The spec's process: command, environment, directory, limits, and what an exec takes over."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BadRequest
from runner.runtime.oci_spec.spec import (
    check_options,
    command,
    exec_process,
    runtime_spec,
)
from runner.runtime.oci_spec.users import User
from runner.schema import ExecOptions, Ulimit
from tests.runner.runtime.conftest import an_image
from tests.runner.runtime.oci_spec.conftest import HOST, PLACE, asked, spec

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
names = st.text("ABCdef_", min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("entrypoint", "options", "expected"),
    [
        ((), {"command": None}, ("image",)),
        (("start",), {"command": None}, ("start", "image")),
        (("start",), {"command": ("mine",)}, ("start", "mine")),
        (("start",), {"command": None, "entrypoint": ("own",)}, ("own",)),
        (("start",), {"command": ("mine",), "entrypoint": ("own",)}, ("own", "mine")),
        (("start",), {"command": ("mine",), "entrypoint": ()}, ("mine",)),
        (("start",), {"command": ("mine",), "entrypoint": ("",)}, ("mine",)),
        (("",), {"command": None, "entrypoint": None}, ("image",)),
    ],
)
def test_arguments_are_entrypoint_and_command(
    entrypoint: tuple[str, ...], options: dict[str, Any], expected: tuple[str, ...]
) -> None:
    image = an_image(entrypoint=list(entrypoint), cmd=["image"])

    assert command(image, asked(**options)) == expected


def test_no_program_at_all_is_refused() -> None:
    with pytest.raises(BadRequest, match="no command specified"):
        command(an_image(cmd=["x"]), asked(command=None, entrypoint=()))


def test_the_environment_is_layered() -> None:
    image = an_image(env=["PATH=/image", "A=image", "B=image", "D"])

    made = spec(image=image, env=("B=user", "C=user", "A"), tty=True)

    assert made["process"]["env"] == [
        "PATH=/image", "HOSTNAME=box", "TERM=xterm", "B=user", "C=user",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("image", "user", "expected"),
    [("", "", "/"), ("/w/", "", "/w"), ("/w", "/u", "/u"), ("rel/x", "", "/rel/x"),
     ("/a/../../b", "", "/b"), ("//x", "", "/x")],
)  # fmt: skip
def test_the_working_directory_is_absolute_and_normal(image: str, user: str, expected: str) -> None:
    made = spec(image=an_image(working_dir=image), working_dir=user)

    assert made["process"]["cwd"] == expected


@pytest.mark.parametrize("number", range(3, 21))
def test_no_working_directory_in_proc(number: int) -> None:
    # CVE-2024-21626
    with pytest.raises(BadRequest, match="must not lie in /proc"):
        spec(image=an_image(working_dir=f"/proc/self/fd/{number}"))
    with pytest.raises(BadRequest, match="must not lie in /proc"):
        spec(working_dir=f"/x/..//proc/self/../self/fd/{number}")


def test_ulimits_are_clamped_to_what_this_process_may_give() -> None:
    host = replace(HOST, hard_limits={"NOFILE": 20000, "CORE": -1})
    options = asked(ulimits=(Ulimit("nofile", 1024, 65536), Ulimit("core", 0, -1)))

    made = runtime_spec(an_image(), options, PLACE, host)
    warnings = check_options(options, host)

    assert made["process"]["rlimits"] == [
        {"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 20000},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 2**64 - 1},
    ]
    assert warnings == ("ulimit nofile: 65536 is above this host's hard limit, used 20000",)


def test_init_is_bound_in_and_runs_the_program() -> None:
    made = spec(replace(HOST, init="/usr/bin/tini-static"), init=True)

    assert made["process"]["args"] == ["/sbin/docker-init", "--", "run"]
    with pytest.raises(BadRequest, match="no static tini or catatonit"):
        spec(init=True)


def test_exec_takes_over_what_it_does_not_change() -> None:
    container = spec(env=("A=1",), cap_drop=("ALL",), working_dir="/w")
    options = ExecOptions(("ls",), env=("A=2", "B=3"), tty=True, console_size=(10, 20))

    made = exec_process(container, options, User(5, 6))

    assert made["args"] == ["ls"]
    assert made["cwd"] == "/w"
    assert made["capabilities"]["bounding"] == []
    assert made["user"] == {"uid": 5, "gid": 6}
    assert made["env"][-3:] == ["A=2", "TERM=xterm", "B=3"]
    assert made["consoleSize"] == {"height": 10, "width": 20}
    with pytest.raises(BadRequest, match="privileged is not offered"):
        exec_process(container, replace(options, privileged=True), User())


@given(st.lists(st.tuples(names, texts).map("=".join)), st.lists(names))
def test_any_environment_has_each_name_once(entries: list[str], removed: list[str]) -> None:
    made = spec(env=(*entries, *removed))["process"]["env"]

    found = [entry.partition("=")[0] for entry in made]
    assert len(found) == len(set(found))
    assert set(found).isdisjoint(removed)
