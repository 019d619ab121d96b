"""ps: a table, JSON, and columns as asked for."""

import json

import pytest

from tests.support.runner.runners import Runner

pytestmark = pytest.mark.needs_root


def test_lists_have_every_form(shared_runner: Runner) -> None:
    container = shared_runner("create", "--name", "listed", "-l", "a=b", "busybox", "true").strip()
    only = ("ps", "-a", "--filter", "name=listed")

    table = shared_runner(*only).splitlines()
    document = json.loads(shared_runner(*only, "--format", "json"))
    custom = shared_runner(*only, "--format", "table {{.ID}}\t{{.Labels}}").splitlines()

    assert table[0].split("   ")[0] == "CONTAINER ID"
    assert table[1].startswith(container[:12])
    assert document["Names"] == "listed"
    assert document["State"] == "created"
    assert [line.split() for line in custom] == [
        ["CONTAINER", "ID", "LABELS"],
        [container[:12], "a=b"],
    ]
    shared_runner("rm", "listed")
