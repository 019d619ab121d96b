"""The spec's resources: limits in the kernel's units, and those that contradict each other."""

from dataclasses import replace
from typing import Any

import pytest

from runner.errors import BadRequest
from runner.runtime.oci_spec.resources import resources as oci_resources
from runner.runtime.oci_spec.resources import sysctls
from runner.runtime.oci_spec.spec import (
    check_options,
    runtime_spec,
)
from runner.schema import ContainerOptions
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory_swap": 9}, "memory-swap needs a memory limit beside it"),
        ({"memory": 9, "memory_swap": 8}, "memory-swap 8 is below the memory limit 9"),
        (
            {"memory": 9, "memory_reservation": 10},
            "memory-reservation 10 is above the limit 9",
        ),
        (
            {"nano_cpus": 1, "cpu_quota": 1_000},
            "cpus conflicts with cpu-period and cpu-quota: give one of them",
        ),
        (
            {"nano_cpus": 2_000_000_001},
            "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
        ),
    ],
)
def test_a_refusal_names_both_limits(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        oci_resources(ContainerOptions("i", **options), HOST)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    "options",
    [
        {"memory": 9, "memory_swap": 9, "memory_reservation": 9},
        {"memory": 9, "memory_swap": -1},
        {"memory_swap": -1},
        {"nano_cpus": 2_000_000_000},
    ],
)
def test_limits_that_are_equal_are_no_contradiction(options: dict[str, Any]) -> None:
    assert oci_resources(ContainerOptions("i", **options), HOST)["devices"]


def test_a_sysctl_of_the_host_is_refused_by_name() -> None:
    with pytest.raises(BadRequest) as caught:
        sysctls(ContainerOptions("i", sysctls={"vm.swappiness": "1"}))

    assert (
        str(caught.value) == "sysctl 'vm.swappiness' is not in a namespace of the container's own"
    )
