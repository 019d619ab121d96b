"""The runtime spec: what an image and the options make of it, and what an image cannot touch."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BadRequest
from runner.runtime.oci_spec.capabilities import DEFAULT
from runner.runtime.oci_spec.spec import (
    check_options,
    namespaces,
)
from tests.runner.runtime.conftest import an_image
from tests.runner.runtime.oci_spec.conftest import HOST, asked, spec

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
names = st.text("ABCdef_", min_size=1, max_size=6)
image_configs = st.fixed_dictionaries({
    "env": st.lists(st.tuples(names, texts).map("=".join), max_size=4),
    "entrypoint": st.lists(texts.filter(bool), max_size=3),
    "cmd": st.lists(texts.filter(bool), min_size=1, max_size=3),
    "user": texts,
    "working_dir": st.sampled_from(["", "/w", "rel", "/a/../b", "/etc/"]),
    "labels": st.dictionaries(
        st.sampled_from(["run.oci.handler", "io.podman.annotations.userns", "org.x", "bundle"]),
        st.sampled_from(["krun", "binary:///bin/sh?x", "keep-id", "--privileged"]),
    ),
    "exposed_ports": st.lists(st.sampled_from(["80/tcp", "53/udp"]), max_size=2, unique=True),
    "volumes": st.lists(st.sampled_from(["/data", "/proc", "/sys/fs"]), max_size=2, unique=True),
    "stop_signal": st.sampled_from(["", "SIGQUIT", "9"]),
    "author": texts,
    "created": st.just("2026-11-21T09:00:00Z"),
})  # fmt: skip


@given(image_configs)
def test_an_image_changes_nothing_but_what_it_may(config: dict[str, Any]) -> None:
    base = spec(command=None)

    made = spec(image=an_image(**config), command=None)

    process, plain = dict(made["process"]), dict(base["process"])
    for key in ("args", "env", "cwd"):
        process.pop(key), plain.pop(key)
    assert process == plain
    assert {k: v for k, v in made.items() if k != "process"} == {
        k: v for k, v in base.items() if k != "process"
    }
    assert made["process"]["args"] == [*config["entrypoint"], *config["cmd"]]
    assert set(config["env"][-1:]) <= set(made["process"]["env"])
    assert "annotations" not in made
    assert "hooks" not in made


def test_the_defaults_are_dockers() -> None:
    made = spec()

    assert made["process"]["capabilities"]["bounding"] == sorted(DEFAULT)
    assert made["process"]["capabilities"]["ambient"] == []
    assert made["process"]["noNewPrivileges"] is False
    assert made["root"] == {"path": "/r", "readonly": False}
    assert [entry["type"] for entry in made["linux"]["namespaces"]] == [
        "mount", "pid", "ipc", "uts", "network", "cgroup",
    ]  # fmt: skip
    assert made["linux"]["resources"]["pids"] == {"limit": 1024}
    assert made["linux"]["resources"]["devices"][0] == {"allow": False, "access": "rwm"}
    assert "rlimits" not in made["process"]
    assert made["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    json.dumps(made)


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"network_mode": "host"}, "network"),
        ({"pid_mode": "host"}, "pid"),
        ({"ipc_mode": "host"}, "ipc"),
        ({"uts_mode": "host"}, "uts"),
        ({"cgroupns_mode": "host"}, "cgroup"),
    ],
)
def test_a_namespace_is_shared_only_when_asked(options: dict[str, str], missing: str) -> None:
    kinds = {entry["type"] for entry in namespaces(asked(**options))}

    assert {"mount", "pid", "ipc", "uts", "network", "cgroup"} - kinds == {missing}


def test_the_hosts_network_keeps_the_hosts_sysctls() -> None:
    own, shared = spec(), spec(network_mode="host")

    assert own["linux"]["sysctl"] == {
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": "0 2147483647",
    }
    assert shared["linux"]["sysctl"] == {}


@pytest.mark.parametrize(
    ("name", "options"),
    [("kernel.core_pattern", {}), ("vm.swappiness", {}), ("fs.file-max", {}),
     ("net.core.somaxconn", {"network_mode": "host"}), ("kernel.shmmax", {"ipc_mode": "host"})],
)  # fmt: skip
def test_a_sysctl_of_the_host_is_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="not in a namespace of the container's own"):
        spec(sysctls={name: "1"}, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"memory_swap": 10 << 20}, "needs a memory limit"),
        ({"memory": 10 << 20, "memory_swap": 9 << 20}, "below the memory limit"),
        ({"memory": 10 << 20, "memory_reservation": 11 << 20}, "above the limit"),
        ({"nano_cpus": 1, "cpu_quota": 5000}, "conflicts with"),
        (
            {"nano_cpus": 2_000_000_001},
            r"from 0\.01 to 2\.00, as there are only 2 CPUs available",
        ),
        ({"cap_add": ("FLY",)}, "kernel has no CAP_FLY"),
        ({"security_opt": ("seccomp=strict",)}, "expected unconfined, builtin or"),
        ({"security_opt": ("seccomp={}",)}, "invalid seccomp profile"),
        ({"security_opt": (f"seccomp={'[' * 100_000}",)}, "builtin or a profile's JSON"),
        ({"security_opt": ("no-new-privileges=maybe",)}, "expected true or false"),
        ({"security_opt": ("magic=1",)}, "expected no-new-privileges or seccomp="),
        ({"security_opt": ("apparmor=mine",)}, "is not loaded on this host"),
        ({"privileged": True}, "privileged containers are not offered"),
    ],
)
def test_create_refuses_the_options_that_start_would_refuse(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadRequest, match=words):
        check_options(asked(**options), HOST)
    with pytest.raises(BadRequest, match=words):
        spec(**options)
