"""Control groups: both layouts, detected in files like the kernel's."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.linux import cgroups
from runner.linux.cgroups import Features


def write(directory: Path, **files: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name.replace("__", ".")).write_text(content)


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


@given(lines=st.binary(max_size=200))
def test_any_other_lines_of_a_mount_table_are_passed_over(
    lines: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mounts = tmp_path_factory.mktemp("any") / "mounts"
    mounts.write_bytes(
        b"/dev/sdb /mnt/Sch\xf6n ext4 rw 0 0\n" + lines + b"\ncgroup2 /cg cgroup2 rw 0 0\n"
    )

    assert cgroups.detect(mounts).hierarchies[""] is not None


def test_a_process_enters_every_hierarchy_but_cpuset(legacy: Features, tmp_path: Path) -> None:
    cgroups.move(4242, "/slipway/monitors", legacy)

    entered = {path.parent.parent.parent.name for path in tmp_path.rglob("cgroup.procs")}
    assert entered == {"memory", "pids", "cpuacct", "systemd"}
    assert (tmp_path / "pids/slipway/monitors/cgroup.procs").read_text() == "4242"


@pytest.mark.needs_root
def test_the_kernel_moves_a_process() -> None:
    features = cgroups.detect()
    group = "/slipway-test-groups"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        cgroups.move(process.pid, group, features)
        member = Path(f"/proc/{process.pid}/cgroup").read_text()
        process.communicate(b"\n")

    for place in features.hierarchies.values():
        with contextlib.suppress(FileNotFoundError):
            (place / group[1:]).rmdir()

    assert f":{group}\n" in member
