"""Isolation, tried from inside a container, next to what Docker's defaults allow."""

import json
import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from runner.runtime.contract import StdStream
from runner.runtime.errors import RuntimeRefused
from runner.runtime.oci_spec.capabilities import ALL
from tests.runner.runtime.conftest import Engine, an_image, python_command, python_mounts

pytestmark = pytest.mark.needs_root

PROBE = Path(__file__).with_name("probe.py").read_text(encoding="utf-8")

NAMESPACES = ("mnt", "pid", "ipc", "uts", "net", "cgroup")
DOCKER_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP",
    "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
)  # fmt: skip
DOCKER_MASK = f"{sum(1 << ALL.index(f'CAP_{name}') for name in DOCKER_CAPABILITIES):016x}"

MASKED = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
    "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
    "/sys/devices/system/cpu/cpu0/thermal_throttle",
)  # fmt: skip

READ_ONLY = (
    "/proc/sysrq-trigger", "/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern",
    "/proc/sys/vm/drop_caches", "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper",
    "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/fs/ext4", "/proc/bus/input/devices",
)  # fmt: skip

# Nothing in /dev but these; a terminal adds console, a kernel with /proc/kcore a link to it.
DEVICES = [
    "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
    "stdout", "tty", "urandom", "zero",
]  # fmt: skip

FLAGS = {
    "/proc": {"nosuid", "nodev", "noexec"},
    "/sys": {"ro", "nosuid", "nodev", "noexec"},
    "/sys/fs/cgroup": {"ro", "nosuid", "nodev", "noexec"},
    "/dev": {"nosuid"},
    "/dev/pts": {"nosuid", "noexec"},
    "/dev/shm": {"nosuid", "nodev", "noexec"},  # noqa: S108 - inside the container
    "/dev/mqueue": {"nosuid", "nodev", "noexec"},
    "/proc/sys": {"ro"},
    "/proc/bus": {"ro"},
}

SOCKETS = {
    "unix": ((1, 1), "ok"),
    "inet": ((2, 1), "ok"),
    "inet6": ((10, 1), "ok"),
    "raw": ((2, 3, 1), "ok"),
    "netlink": ((16, 3, 0), "ok"),
    "alg": ((38, 5), "EPERM"),
    "vsock": ((40, 1), "EPERM"),
    "decnet": ((12, 1), "EPERM"),
    "nfc": ((39, 1), "EPERM"),
}

_NEW_USER = 0x10000000
_BAD = (-1, -1, -1, -1, -1)

# x86-64 numbers, and arguments that the kernel itself would answer with something else.
SYSTEM_CALLS: dict[str, tuple[int, ...]] = {
    "mount": (165, *_BAD), "umount2": (166, *_BAD), "pivot_root": (155, *_BAD),
    "swapon": (167, *_BAD), "swapoff": (168, *_BAD), "reboot": (169, *_BAD),
    "sethostname": (170, *_BAD), "setdomainname": (171, *_BAD), "iopl": (172, *_BAD),
    "ioperm": (173, *_BAD), "create_module": (174, *_BAD), "init_module": (175, *_BAD),
    "delete_module": (176, *_BAD), "quotactl": (179, *_BAD), "nfsservctl": (180, *_BAD),
    "syslog": (103, 3, -1, -1), "uselib": (134, *_BAD), "ustat": (136, *_BAD),
    "sysfs": (139, *_BAD), "vhangup": (153,), "acct": (163, *_BAD), "settimeofday": (164, *_BAD),
    "lookup_dcookie": (212, *_BAD), "clock_settime": (227, 0, -1), "mbind": (237, *_BAD),
    "set_mempolicy": (238, 0, 0, 0), "get_mempolicy": (239, 0, 0, 0, 0, 0),
    "kexec_load": (246, *_BAD), "add_key": (248, *_BAD), "request_key": (249, *_BAD),
    "keyctl": (250, 0, -3, 0), "migrate_pages": (256, *_BAD), "unshare": (272, _NEW_USER),
    "move_pages": (279, 0, 0, 0, 0, 0, 0), "perf_event_open": (298, *_BAD),
    "fanotify_init": (300, *_BAD), "open_by_handle_at": (304, *_BAD), "setns": (308, *_BAD),
    "kcmp": (312, *_BAD), "finit_module": (313, *_BAD), "kexec_file_load": (320, *_BAD),
    "bpf": (321, *_BAD), "userfaultfd": (323, 0), "io_uring_setup": (425, 8, -1),
    "open_tree": (428, *_BAD), "move_mount": (429, *_BAD), "fsopen": (430, *_BAD),
    "fsconfig": (431, *_BAD), "fsmount": (432, *_BAD), "fspick": (433, *_BAD),
    "pidfd_getfd": (438, *_BAD), "process_madvise": (440, *_BAD), "mount_setattr": (442, *_BAD),
    "personality": (135, 0x0400000), "clone new user": (56, _NEW_USER | 17, 0, 0, 0, 0),
    "clone new net": (56, 0x40000000 | 17, 0, 0, 0, 0),
}  # fmt: skip
NOT_THERE = {"clone3": (435, 0, 0)}


@pytest.fixture
def wanted() -> dict[str, Any]:
    calls = SYSTEM_CALLS | NOT_THERE if platform.machine() == "x86_64" else {}
    return {
        "namespaces": NAMESPACES,
        "status": ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Seccomp", "NoNewPrivs"],
        "masked": MASKED,
        "writes": READ_ONLY,
        "new directories": ["/sys/fs/cgroup/mine", "/sys/fs/cgroup/memory/mine", "/sys/mine"],
        "sockets": {name: pair for name, (pair, _) in SOCKETS.items()},
        "system calls": calls,
    }


async def probe(engine: Engine, rootfs: Path, wanted: dict[str, Any], **options: Any) -> Any:
    command = (*python_command(PROBE), json.dumps(wanted))
    box = await engine.run(*command, rootfs=rootfs, mounts=python_mounts(), **options)
    status = await box.wait()
    assert status.code == 0, await box.output(StdStream.STDERR)
    return json.loads(await box.output())


async def test_six_namespaces_are_the_containers_own(
    engine: Engine, python_rootfs: Path, wanted: dict[str, Any]
) -> None:
    found = await probe(engine, python_rootfs, wanted)

    ours = {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES}
    assert {name for name in NAMESPACES if found["namespaces"][name] == ours[name]} == set()
    assert found["interfaces"] == ["lo"]
    assert found["processes"][0] == 1
    assert len(found["processes"]) <= 2


async def test_a_container_is_confined_as_strictly_as_dockers(
    engine: Engine, python_rootfs: Path, wanted: dict[str, Any]
) -> None:
    found = await probe(engine, python_rootfs, wanted)

    status = found["status"]
    assert (status["CapEff"], status["CapPrm"], status["CapBnd"]) == (DOCKER_MASK,) * 3
    assert (status["CapInh"], status["CapAmb"]) == ("0" * 16,) * 2
    assert status["Seccomp"] == "2"
    assert {p: c for p, c in found["masked"].items() if c == "something"} == {}
    assert set(found["writes"].values()) <= {"EROFS", "ENOENT", "EACCES", "EISDIR"}
    assert found["writes"]["/proc/sys/kernel/core_pattern"] == "EROFS"
    assert set(found["new directories"].values()) <= {"EROFS", "ENOENT"}
    assert [name for name in found["devices"] if name != "core"] == DEVICES
    assert found["made devices"]["/dev/null"] == ["ok", "ok"]
    for name in ("/dev/mem", "/dev/kmsg", "first disk"):
        assert found["made devices"][name] == ["ok", "EPERM"], name
    for place, flags in FLAGS.items():
        assert flags <= set(found["mounts"][place]), place
    assert found["sockets"] == {name: expected for name, (_, expected) in SOCKETS.items()}
    assert set(found["release_agent"]) <= {"EPERM", "EROFS", "EACCES"}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the table has x86-64 numbers")
async def test_dangerous_system_calls_are_refused_by_the_filter(
    engine: Engine, python_rootfs: Path, wanted: dict[str, Any]
) -> None:
    # With every capability only the filter is left to refuse.
    rest = (
        "SYS_ADMIN", "SYS_NICE", "SYS_PTRACE", "SYS_MODULE", "SYS_BOOT", "SYS_TIME", "BPF",
        "SYS_RAWIO", "SYS_PACCT", "SYS_TTY_CONFIG", "SYSLOG", "PERFMON", "DAC_READ_SEARCH",
    )  # fmt: skip

    confined = await probe(engine, python_rootfs, wanted)
    open_ = await probe(engine, python_rootfs, wanted, security_opt=("seccomp=unconfined",))
    trusted = await probe(engine, python_rootfs, wanted, cap_add=rest)

    calls = confined["system calls"]
    assert {name: calls[name] for name in SYSTEM_CALLS} == dict.fromkeys(SYSTEM_CALLS, "EPERM")
    assert calls["clone3"] == "ENOSYS"
    # The same calls do something else without the filter: it is not only the capabilities.
    told = {name for name in SYSTEM_CALLS if open_["system calls"][name] != "EPERM"}
    assert {"unshare", "keyctl", "add_key", "get_mempolicy", "clone new user"} <= told
    # Allowed with a capability, and refused with all of them.
    assert trusted["system calls"]["unshare"] == "ok"
    assert trusted["system calls"]["keyctl"] == "EPERM"
    assert trusted["system calls"]["kexec_load"] == "EPERM"


async def test_no_descriptor_of_the_host_leaks_in(
    engine: Engine, python_rootfs: Path, wanted: dict[str, Any]
) -> None:
    os.set_inheritable(leak := os.open("/", os.O_RDONLY), True)
    try:
        found = await probe(engine, python_rootfs, wanted)
    finally:
        os.close(leak)

    # The fourth is the directory being listed.
    assert found["descriptors"] == [0, 1, 2, 3]
    assert found["working directory"] == "/"


async def test_options_reach_the_process(
    engine: Engine, python_rootfs: Path, wanted: dict[str, Any]
) -> None:
    found = await probe(
        engine,
        python_rootfs,
        wanted,
        cap_drop=("ALL",),
        cap_add=("NET_BIND_SERVICE",),
        security_opt=("no-new-privileges",),
        network_mode="host",
    )

    status = found["status"]
    assert status["CapEff"] == f"{1 << ALL.index('CAP_NET_BIND_SERVICE'):016x}"
    assert status["NoNewPrivs"] == "1"
    assert found["namespaces"]["net"] == os.readlink("/proc/self/ns/net")
    assert found["namespaces"]["mnt"] != os.readlink("/proc/self/ns/mnt")


@pytest.mark.parametrize(
    "target", ["/", "../../..", "../../../../../../../..", "/nowhere/at/all", "loop", "CANARY"]
)
async def test_a_working_directory_behind_a_link_stays_inside(
    engine: Engine, busybox_rootfs: Path, tmp_path: Path, target: str
) -> None:
    rootfs, canary = tmp_path / "rootfs", tmp_path / "canary"
    shutil.copytree(busybox_rootfs, rootfs, symlinks=True)
    canary.mkdir()
    (rootfs / "loop").symlink_to(str(canary) if target == "CANARY" else target)

    # Refused or made inside: both are well, outside is not.
    with suppress(RuntimeRefused):
        box = await engine.run("true", rootfs=rootfs, working_dir="/loop/made")
        await box.wait()

    assert os.listdir(canary) == []
    assert "made" not in os.listdir("/")


async def test_an_images_environment_reaches_its_process_and_nothing_of_ours(
    engine: Engine,
) -> None:
    env = ("LD_PRELOAD=/evil.so", "BASH_ENV=/evil", "PYTHONPATH=/evil", "PATH=/evil", "GODEBUG=x")

    box = await engine.run("/bin/sh", "-c", "/bin/echo $LD_PRELOAD $PATH; read x",
                           image=an_image(env=list(env)), open_stdin=True)  # fmt: skip

    monitor = (box.launch.bundle / "conmon.pid").read_text()
    ours = environment_of(monitor)
    streams = await box.monitored.attach()
    await streams.write(b"\n")
    await box.wait()
    await streams.aclose()
    assert await box.output() == "/evil.so /evil\n"
    assert b"evil" not in ours
    assert {entry.partition(b"=")[0] for entry in ours.split(b"\0")} <= {
        b"", b"PATH", b"_OCI_SYNCPIPE", b"_OCI_STARTPIPE",
    }  # fmt: skip


# keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0): the serial number of the keyring.
_SESSION_KEYRING = "import ctypes, platform; print(ctypes.CDLL(None).syscall({}, 0, -3, 0))".format(
    "{'x86_64': 250, 'aarch64': 219}[platform.machine()]"
)


async def test_a_containers_session_keyring_is_its_own(engine: Engine, python_rootfs: Path) -> None:
    """Without a filter its program can ask for keys: not for the daemon's."""
    serials = set()
    for _ in range(2):
        box = await engine.run(
            *python_command(_SESSION_KEYRING),
            rootfs=python_rootfs,
            mounts=python_mounts(),
            security_opt=("seccomp=unconfined",),
        )
        await box.wait()
        serials.add(int(await box.output()))
    ours = our_session_keyring()

    assert len(serials) == 2
    assert all(serial > 0 for serial in serials)
    assert ours not in serials


def our_session_keyring() -> int:
    return int(subprocess.check_output([sys.executable, "-c", _SESSION_KEYRING]))  # noqa: S603


def environment_of(pid: str) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()
