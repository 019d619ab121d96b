"""The spec's resources: limits in the kernel's units."""

from dataclasses import replace
from typing import Any

import pytest

from runner.runtime.oci_spec.spec import (
    check_options,
    runtime_spec,
)
from tests.runner.runtime.conftest import an_image
from tests.runner.runtime.oci_spec.conftest import HOST, PLACE, asked, spec


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"memory": 100 << 20}, {"memory": {"limit": 100 << 20, "swap": 200 << 20}}),
        ({"memory": 8 << 20, "memory_swap": -1}, {"memory": {"limit": 8 << 20, "swap": -1}}),
        ({"nano_cpus": 1_500_000_000}, {"cpu": {"period": 100_000, "quota": 150_000}}),
        ({"nano_cpus": 2_000_000_000}, {"cpu": {"period": 100_000, "quota": 200_000}}),
        ({"nano_cpus": 1_000_000}, {"cpu": {"period": 100_000, "quota": 1000}}),
        ({"cpu_shares": 512, "cpuset_cpus": "0-1"}, {"cpu": {"shares": 512, "cpus": "0-1"}}),
        ({"pids_limit": 7}, {"pids": {"limit": 7}}),
        ({"blkio_weight": 300}, {"blockIO": {"weight": 300}}),
    ],
)
def test_limits_are_the_specs(options: dict[str, Any], expected: dict[str, Any]) -> None:
    resources = spec(**options)["linux"]["resources"]

    assert {name: resources[name] for name in expected} == expected


def test_no_limit_on_processes_can_be_asked_for() -> None:
    assert "pids" not in spec(pids_limit=-1)["linux"]["resources"]


def test_a_limit_that_the_kernel_lacks_is_a_warning() -> None:
    features = replace(HOST.cgroups, swap_limit=False, block_io_weight=False)
    host = replace(HOST, cgroups=features)
    options = asked(memory=8 << 20, memory_swap=-1, blkio_weight=100)

    warnings = check_options(options, host)
    resources = runtime_spec(an_image(), options, PLACE, host)["linux"]["resources"]

    assert len(warnings) == 2
    assert resources["memory"] == {"limit": 8 << 20}
    assert "blockIO" not in resources
