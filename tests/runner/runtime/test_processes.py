"""Processes of a container: rows of ``ps -ef``, and columns that this host's ps has."""

import os
import pwd

import pytest

from runner.errors import BadRequest
from runner.runtime.processes import TITLES, table


async def test_this_process_is_a_row_of_its_namespace() -> None:
    titles, rows = await table(os.getpid())

    (row,) = [row for row in rows if row[1] == str(os.getpid())]
    assert titles == TITLES
    assert row[0] == pwd.getpwuid(os.geteuid()).pw_name
    assert row[2] == str(os.getppid())
    assert "python" in row[7] or "pytest" in row[7]


async def test_a_process_that_is_gone_has_no_rows() -> None:
    # Above every limit of the kernel, 2**22.
    assert await table(2**22 + 1) == (TITLES, ())


async def test_other_columns_are_those_of_the_hosts_ps() -> None:
    titles, rows = await table(os.getpid(), ("-o", "pid,ppid,args"))

    (row,) = [row for row in rows if row[0] == str(os.getpid())]
    assert titles[:2] == ("PID", "PPID")
    assert row[1] == str(os.getppid())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("-o", "ppid"), "top: ps -o ppid shows no column PID"),
        (("-o", "pid,pid"), "top: ps -o pid,pid shows no column PID"),
        (("--no-such",), "top: ps refuses --no-such"),
    ],
)
async def test_columns_without_one_pid_are_refused(
    arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(BadRequest, match=sentence):
        await table(os.getpid(), arguments)
