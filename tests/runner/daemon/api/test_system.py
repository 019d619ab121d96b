"""system df: everything that takes room is counted."""

import json
import os
import subprocess
from typing import Any

import pytest

from tests.support.runner.runners import Runner

pytestmark = pytest.mark.needs_root


def df(runner: Runner, query: str = "") -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 - a fixed command of the test's own
        ["curl", "-sS", "--unix-socket", str(runner.socket), f"http://d/v1.44/system/df{query}"],  # noqa: S607
        capture_output=True,
        check=True,
        env=os.environ,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_containers_and_volumes_are_counted(own_runner: Runner) -> None:
    script = "head -c 100000 /dev/zero >/file; head -c 200000 /dev/zero >/data/file"
    own_runner("run", "--name", "writer", "-v", "store:/data", "busybox", "sh", "-c", script)
    own_runner("tag", "busybox", "second")

    document = df(own_runner)

    (container,), (volume,) = document["Containers"], document["Volumes"]
    (image,) = document["Images"]
    assert container["Names"] == ["/writer"]
    assert container["SizeRw"] >= 100_000
    assert volume["UsageData"]["Size"] >= 200_000
    assert volume["UsageData"]["RefCount"] == 1
    assert image["Containers"] == 1
    assert document["LayersSize"] == image["Size"]


def test_only_what_is_asked_for_is_measured(own_runner: Runner) -> None:
    assert set(df(own_runner, "?type=volume")) == {"Volumes", "BuildCache"}
    assert df(own_runner, "?type=colour")["message"].startswith("invalid type 'colour'")
