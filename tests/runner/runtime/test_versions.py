"""Versions: which holes a runc has, by the table of C-1."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.runtime.errors import RuntimeRefused
from runner.runtime.runc import find_executable
from runner.runtime.versions import FIXED_IN, RuntimeVersion, known_cves, probe, warning

DEBIAN_12 = "runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev\ngo: go1.19.8\n"
OCTOBER_2025 = {"CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runc version 1.1.5", set(FIXED_IN)),
        (DEBIAN_12, set(FIXED_IN) - {"CVE-2024-21626"}),
        ("runc version 1.1.14", {*OCTOBER_2025, "CVE-2026-41579"}),
        ("runc version 1.2.7", {*OCTOBER_2025, "CVE-2026-41579"}),
        ("runc version 1.2.8", {"CVE-2026-41579"}),
        ("runc version 1.3.3", {"CVE-2026-41579"}),
        ("runc version 1.3.6", set()),
        ("runc version 1.4.0-rc.1", {*OCTOBER_2025, "CVE-2026-41579"}),
        ("runc version 1.4.3", set()),
        ("runc version 1.5.0", set()),
        ("runc version 2.0.0", set()),
        ("crun version 1.8.1\ncommit: x", set()),
    ],
)
def test_holes_by_version(text: str, expected: set[str]) -> None:
    assert set(known_cves(RuntimeVersion.parse(text))) == expected


NUMBERS = st.lists(st.integers(0, 10**9 - 1), min_size=3, max_size=3)
OUTPUTS = st.builds("runc version {}".format, st.text(alphabet="0123456789.+-rc\n"))


@given(st.text() | OUTPUTS)
def test_any_output_is_a_version_or_unknown(text: str) -> None:
    version = RuntimeVersion.parse(text)

    assert version.text == text
    assert (version.name == "unknown") <= (version.number == (0, 0, 0))
    assert set(known_cves(version)) <= set(FIXED_IN)


@given(NUMBERS)
def test_a_version_is_read_as_it_is_written(numbers: list[int]) -> None:
    version = RuntimeVersion("runc", (numbers[0], numbers[1], numbers[2]), "")

    read = RuntimeVersion.parse(str(version).replace(" ", " version "))

    assert (read.name, read.number) == (version.name, version.number)


def test_a_number_that_no_version_has_is_unknown() -> None:
    assert RuntimeVersion.parse(f"runc version {'9' * 5_000}.1").name == "unknown"


def test_the_warning_names_version_and_holes() -> None:
    said = warning(RuntimeVersion.parse(DEBIAN_12))

    assert said.startswith("runc 1.1.5 has known vulnerabilities (CVE-2024-45310, CVE-2025-31133")
    assert warning(RuntimeVersion.parse("runc version 1.4.3")) == ""


async def test_a_runtime_is_asked_for_its_version(tmp_path: Path) -> None:
    program = tmp_path / "runc"
    program.write_text("#!/bin/sh\necho 'runc version 1.1.0'\necho 'commit: v1.1.0'\n")
    program.chmod(0o755)

    version = await probe(find_executable(str(program)))

    assert (version.name, version.number) == ("runc", (1, 1, 0))


async def test_a_runtime_that_fails_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "runc"
    program.write_text("#!/bin/sh\necho 'not today' >&2\nexit 1\n")
    program.chmod(0o755)

    with pytest.raises(RuntimeRefused, match="not today"):
        await probe(str(program))


def test_a_runtime_that_others_may_change_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "runc"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o777)

    with pytest.raises(RuntimeRefused, match="is writable by others"):
        find_executable(str(program))
    with pytest.raises(RuntimeRefused, match="nosuch is not installed"):
        find_executable("nosuch")
