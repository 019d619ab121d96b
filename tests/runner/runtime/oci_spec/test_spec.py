"""The runtime spec: what an image and the options make of it, and what an image cannot touch."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.image_config import ImageConfig
from runner.errors import BadRequest
from runner.runtime.oci_spec.capabilities import DEFAULT
from runner.runtime.oci_spec.host import Host
from runner.runtime.oci_spec.seccomp import default_profile
from runner.runtime.oci_spec.spec import (
    Placement,
    check_options,
    command,
    exec_process,
    namespaces,
    runtime_spec,
)
from runner.runtime.oci_spec.users import User
from runner.schema import ContainerOptions, ExecOptions, MountOption, Ulimit
from tests.runner.runtime.conftest import an_image

HOST = Host(cpus=2, seccomp_profile=default_profile())
PLACE = Placement("c" * 64, "box", Path("/r"), User(), Path("/f"), "/slipway/c")


def asked(**options: Any) -> ContainerOptions:
    options.setdefault("command", ("run",))
    return ContainerOptions(image="test", **options)


def spec(host: Host = HOST, image: ImageConfig | None = None, **options: Any) -> Any:
    return runtime_spec(image or an_image(), asked(**options), PLACE, host)


_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_name = st.text("ABCdef_", min_size=1, max_size=6)
image_configs = st.fixed_dictionaries({
    "env": st.lists(st.tuples(_name, _text).map("=".join), max_size=4),
    "entrypoint": st.lists(_text.filter(bool), max_size=3),
    "cmd": st.lists(_text.filter(bool), min_size=1, max_size=3),
    "user": _text,
    "working_dir": st.sampled_from(["", "/w", "rel", "/a/../b", "/etc/"]),
    "labels": st.dictionaries(
        st.sampled_from(["run.oci.handler", "io.podman.annotations.userns", "org.x", "bundle"]),
        st.sampled_from(["krun", "binary:///bin/sh?x", "keep-id", "--privileged"]),
    ),
    "exposed_ports": st.lists(st.sampled_from(["80/tcp", "53/udp"]), max_size=2, unique=True),
    "volumes": st.lists(st.sampled_from(["/data", "/proc", "/sys/fs"]), max_size=2, unique=True),
    "stop_signal": st.sampled_from(["", "SIGQUIT", "9"]),
    "author": _text,
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
    ("options", "key", "value"),
    [
        (("no-new-privileges",), "noNewPrivileges", True),
        (("no-new-privileges:true",), "noNewPrivileges", True),
        (("no-new-privileges=false",), "noNewPrivileges", False),
    ],
)
def test_security_options_of_the_process(options: tuple[str, ...], key: str, value: object) -> None:
    assert spec(security_opt=options)["process"][key] == value


def test_a_profile_of_ones_own_and_none() -> None:
    own = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"]})

    assert "seccomp" not in spec(security_opt=("seccomp=unconfined",))["linux"]
    assert spec(security_opt=(f"seccomp={own}",))["linux"]["seccomp"]["syscalls"] == []
    assert spec(security_opt=("systempaths=unconfined",))["linux"]["maskedPaths"] == []


def test_apparmor_only_where_it_is_loaded() -> None:
    loaded = replace(HOST, apparmor_profiles=frozenset({"docker-default", "mine"}))

    assert "apparmorProfile" not in spec()["process"]
    assert spec(loaded)["process"]["apparmorProfile"] == "docker-default"
    assert spec(loaded, security_opt=("apparmor=mine",))["process"]["apparmorProfile"] == "mine"


def test_mounts_are_in_order_and_the_users_win() -> None:
    mounts = (
        MountOption("bind", "/host/deep", "/data/deep", read_only=True),
        MountOption("volume", "/volumes/v/_data", "/data"),
        MountOption("tmpfs", "", "/dev/shm", options=("size=1m", "exec")),  # noqa: S108
        MountOption("bind", "/host/hosts", "/etc/hosts", options=("rshared", "nonrecursive")),
    )

    made = runtime_spec(an_image(), asked(), replace(PLACE, mounts=mounts), HOST)

    entries = {entry["destination"]: entry for entry in made["mounts"]}
    order = list(entries)
    assert order.index("/data") < order.index("/data/deep")
    assert order.index("/dev") < order.index("/dev/shm")  # noqa: S108
    assert entries["/data"]["options"] == ["rbind", "rprivate"]
    assert entries["/data/deep"]["options"] == ["rbind", "rprivate", "ro"]
    assert entries["/dev/shm"]["options"][-2:] == ["size=1m", "exec"]  # noqa: S108
    assert entries["/etc/hosts"]["options"] == ["bind", "rshared"]
    assert entries["/etc/hosts"]["source"] == "/host/hosts"
    assert entries["/etc/resolv.conf"]["source"] == "/f/resolv.conf"


def test_read_only_reaches_mounts_below_where_the_kernel_can() -> None:
    mounts = (MountOption("bind", "/host", "/data", read_only=True),)
    host = replace(HOST, kernel=(5, 12))

    made = runtime_spec(an_image(), asked(), replace(PLACE, mounts=mounts), host)

    entries = {entry["destination"]: entry["options"] for entry in made["mounts"]}
    assert entries["/data"] == ["rbind", "rprivate", "ro", "rro"]


def test_a_read_only_root_has_read_only_files() -> None:
    made = spec(read_only=True, shm_size=1 << 20)

    entries = {entry["destination"]: entry["options"] for entry in made["mounts"]}
    assert made["root"]["readonly"] is True
    assert "ro" in entries["/etc/hosts"]
    assert "size=1048576" in entries["/dev/shm"]  # noqa: S108


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


@given(st.lists(st.tuples(_name, _text).map("=".join)), st.lists(_name))
def test_any_environment_has_each_name_once(entries: list[str], removed: list[str]) -> None:
    made = spec(env=(*entries, *removed))["process"]["env"]

    names = [entry.partition("=")[0] for entry in made]
    assert len(names) == len(set(names))
    assert set(names).isdisjoint(removed)
