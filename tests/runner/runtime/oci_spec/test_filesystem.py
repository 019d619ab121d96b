"""The spec's mounts: parents first, the user's in place of ours, read-only to the bottom."""

from dataclasses import replace

from runner.runtime.oci_spec.spec import (
    runtime_spec,
)
from runner.schema import MountOption
from tests.runner.runtime.conftest import an_image
from tests.runner.runtime.oci_spec.conftest import HOST, PLACE, asked, spec


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
