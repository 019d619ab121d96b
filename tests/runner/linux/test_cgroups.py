"""Control groups: both layouts, read from files like the kernel's."""

import subprocess
import sys
from pathlib import Path

import pytest

from runner.linux import cgroups
from runner.linux.cgroups import Features, Usage


def write(directory: Path, **files: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name.replace("__", ".")).write_text(content)


@pytest.fixture
def unified(tmp_path: Path) -> Features:
    return Features(2, {"": tmp_path})


@pytest.fixture
def legacy(tmp_path: Path) -> Features:
    names = ("memory", "pids", "cpuacct", "cpuset", "systemd")
    return Features(1, {name: tmp_path / name for name in names})


def test_a_unified_host_is_version_2(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec 0 0\n")

    found = cgroups.detect(mounts)

    assert found == Features(2, {"": Path("/sys/fs/cgroup")})


def test_a_hybrid_host_is_version_1_with_all_its_places(tmp_path: Path) -> None:
    write(tmp_path / "memory", memory__memsw__limit_in_bytes="1\n")
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"tmpfs {tmp_path} tmpfs rw,mode=755 0 0\n"
        f"cgroup {tmp_path}/memory cgroup rw,relatime,memory 0 0\n"
        f"cgroup {tmp_path}/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0\n"
        f"cgroup {tmp_path}/systemd cgroup rw,name=systemd 0 0\n"
        f"cgroup2 {tmp_path}/unified cgroup2 rw,relatime 0 0\n"
    )

    found = cgroups.detect(mounts)

    assert found.version == 1
    assert set(found.hierarchies) == {"memory", "cpu", "cpuacct", "systemd", ""}
    assert found.hierarchies["cpu"] == found.hierarchies["cpuacct"]
    assert (found.swap_limit, found.block_io_weight, found.freezer) == (True, False, False)


def test_usage_on_version_2(unified: Features, tmp_path: Path) -> None:
    write(
        tmp_path / "slipway" / "one",
        memory__current="5000\n", memory__max="max\n", pids__current="3\n", pids__max="1024\n",
        memory__stat="anon 1\ninactive_file 1500\n", cpu__stat="usage_usec 7\nuser_usec 1\n",
        memory__events="low 0\noom 2\noom_kill 1\n",
    )  # fmt: skip

    assert cgroups.usage("/slipway/one", unified) == Usage(3500, 0, 7000, 3, 1024)
    assert cgroups.oom_kills("/slipway/one", unified) == 1


def test_usage_on_version_1(legacy: Features, tmp_path: Path) -> None:
    write(
        tmp_path / "memory" / "a", memory__usage_in_bytes="9000\n",
        memory__limit_in_bytes="9223372036854771712\n", memory__stat="total_inactive_file 1000\n",
        memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
    )  # fmt: skip
    write(tmp_path / "pids" / "a", pids__current="2\n", pids__max="max\n")
    write(tmp_path / "cpuacct" / "a", cpuacct__usage="123\n")

    assert cgroups.usage("/a", legacy) == Usage(8000, 0, 123, 2, 0)
    assert cgroups.oom_kills("/a", legacy) == 4


def test_a_group_that_is_gone_uses_nothing(unified: Features, legacy: Features) -> None:
    assert cgroups.usage("/gone", unified) == Usage()
    assert cgroups.usage("/gone", legacy) == Usage()
    assert cgroups.oom_kills("/gone", unified) == 0


def test_a_process_enters_every_hierarchy_but_cpuset(legacy: Features, tmp_path: Path) -> None:
    cgroups.move(4242, "/slipway/monitors", legacy)

    entered = {path.parent.parent.parent.name for path in tmp_path.rglob("cgroup.procs")}
    assert entered == {"memory", "pids", "cpuacct", "systemd"}
    assert (tmp_path / "pids/slipway/monitors/cgroup.procs").read_text() == "4242"


@pytest.mark.needs_root
def test_the_real_kernel_moves_a_process_and_removes_the_empty_group() -> None:
    features = cgroups.detect()
    group = "/slipway-test-groups"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        cgroups.move(process.pid, group, features)
        member = Path(f"/proc/{process.pid}/cgroup").read_text()
        process.communicate(b"\n")

    cgroups.remove(group, features)

    assert f":{group}\n" in member
    assert not any((place / group[1:]).exists() for place in features.hierarchies.values())
