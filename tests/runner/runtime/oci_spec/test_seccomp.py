"""Seccomp: Docker's format resolved for one container."""

from typing import Any

import pytest

from runner.errors import BadRequest
from runner.runtime.oci_spec.capabilities import ALL, DEFAULT
from runner.runtime.oci_spec.seccomp import default_profile, resolve


def allowed(resolved: dict[str, Any]) -> set[str]:
    """Calls that are allowed whatever their arguments."""
    return {
        name
        for rule in resolved["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW" and "args" not in rule
        for name in rule["names"]
    }


def a_profile(**rule: Any) -> dict[str, Any]:
    rule = {"names": ["call"], "action": "SCMP_ACT_ALLOW", **rule}
    return {"defaultAction": "SCMP_ACT_ERRNO", "archMap": [], "syscalls": [rule]}


@pytest.mark.parametrize(
    ("rule", "applies"),
    [
        ({}, True),
        ({"includes": {"caps": ["CAP_A"]}}, True),
        ({"includes": {"caps": ["CAP_A", "CAP_B"]}}, False),
        ({"excludes": {"caps": ["CAP_B"]}}, True),
        ({"excludes": {"caps": ["CAP_A", "CAP_B"]}}, False),
        ({"includes": {"arches": ["amd64", "x32"]}}, True),
        ({"includes": {"arches": ["arm64"]}}, False),
        ({"excludes": {"arches": ["amd64"]}}, False),
        ({"includes": {"minKernel": "4.8"}}, True),
        ({"includes": {"minKernel": "6.1"}}, True),
        ({"includes": {"minKernel": "6.2"}}, False),
        ({"excludes": {"minKernel": "4.8"}}, False),
        ({"includes": {}, "excludes": None}, True),
    ],
)
def test_a_rule_applies_by_capability_architecture_and_kernel(
    rule: dict[str, Any], applies: bool
) -> None:
    resolved = resolve(a_profile(**rule), ["CAP_A"], "amd64", (6, 1))

    assert bool(resolved["syscalls"]) is applies


def test_arguments_and_errno_are_kept() -> None:
    argument = {"index": 0, "value": 5, "op": "SCMP_CMP_MASKED_EQ"}
    profile = a_profile(action="SCMP_ACT_ERRNO", errnoRet=38, args=[argument], comment="no")

    resolved = resolve({**profile, "defaultErrnoRet": 1}, [], "amd64", (6, 1))

    assert resolved["defaultErrnoRet"] == 1
    assert resolved["syscalls"] == [{
        "names": ["call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38,
        "args": [{**argument, "valueTwo": 0}],
    }]  # fmt: skip


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [("amd64", ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]), ("riscv64", ["SCMP_ARCH_RISCV64"]),
     ("arm64", ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]), ("unheard of", [])],
)  # fmt: skip
def test_architectures_come_with_those_they_also_run(
    architecture: str, expected: list[str]
) -> None:
    resolved = resolve(default_profile(), DEFAULT, architecture, (6, 1))

    assert resolved["architectures"] == expected


def test_the_default_profile_denies_what_it_does_not_name() -> None:
    resolved = resolve(default_profile(), DEFAULT, "amd64", (6, 1))

    assert resolved["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {"read", "openat2", "futex_waitv", "cachestat", "chroot", "ptrace"} <= allowed(resolved)
    denied = {
        "mount", "unshare", "setns", "bpf", "keyctl", "kexec_load", "init_module", "userfaultfd",
        "io_uring_setup", "clone", "clone3", "personality", "socket", "pivot_root", "reboot",
        "syslog", "perf_event_open", "open_by_handle_at", "pidfd_getfd", "quotactl", "acct",
        "name_to_handle_at", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp",
    }  # fmt: skip
    assert allowed(resolved) & denied == set()


def test_every_capability_together_opens_no_more_than_dockers() -> None:
    resolved = resolve(default_profile(), ALL, "amd64", (6, 1))

    never = {"keyctl", "add_key", "request_key", "kexec_load", "kexec_file_load", "userfaultfd",
             "io_uring_setup", "io_uring_enter", "swapon", "pivot_root", "uselib"}  # fmt: skip
    assert allowed(resolved) & never == set()
    assert {"mount", "unshare", "bpf", "reboot"} <= allowed(resolved)


def test_sockets_are_of_families_in_use() -> None:
    resolved = resolve(default_profile(), ALL, "amd64", (6, 1))

    rules = [rule["args"] for rule in resolved["syscalls"] if rule["names"] == ["socket"]]
    equal = {a[0]["value"] for a in rules if a[0]["op"] == "SCMP_CMP_EQ"}
    below = [a[0]["value"] for a in rules if a[0]["op"] == "SCMP_CMP_LT"]
    assert below == [12]
    assert {16, 17} <= equal
    assert equal.isdisjoint({12, 38, 40})
    assert all(len(a) == 1 and a[0]["index"] == 0 for a in rules)


@pytest.mark.parametrize(
    "profile",
    [{}, {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{}]},
     {"defaultAction": "A", "syscalls": [{"names": ["x"]}]}, {"defaultAction": "A", "syscalls": 5},
     {"defaultAction": "A", "syscalls": [7]},
     a_profile(includes={"minKernel": "new"}), a_profile(args=[{"index": 0}])],
)  # fmt: skip
def test_other_json_than_a_profile_is_refused(profile: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="invalid seccomp profile"):
        resolve(profile, [], "amd64", (6, 1))
