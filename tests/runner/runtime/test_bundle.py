"""Bundle: its directory, and the three files of /etc."""

from pathlib import Path

import pytest

from runner.errors import BadRequest
from runner.runtime.bundle import (
    hosts,
    prepare_sources,
    read_spec,
    remove_bundle,
    resolv_conf,
    write_bundle,
    write_in_place,
)
from runner.schema import MountOption


def test_a_bundle_is_written_read_and_removed(tmp_path: Path) -> None:
    directory = tmp_path / "b" / "id"

    write_bundle(directory, {"ociVersion": "1.0.2"})
    (directory / "left over").touch()
    write_bundle(directory, {"ociVersion": "1.1.0"})

    assert read_spec(directory) == {"ociVersion": "1.1.0"}
    assert [entry.name for entry in directory.iterdir()] == ["config.json"]
    assert directory.stat().st_mode & 0o777 == 0o700
    remove_bundle(directory)
    remove_bundle(directory)
    assert not directory.exists()


def test_a_link_put_in_place_of_a_file_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    files = tmp_path / "files"
    files.mkdir()
    (files / "hosts").symlink_to(victim)

    with pytest.raises(OSError, match="symbolic link"):
        write_in_place(files / "hosts", "name")

    assert victim.read_text() == "kept"


def test_hosts_know_localhost_and_the_container() -> None:
    text = hosts("web", ["10.0.0.2", "fd00::2"], ["v6:[2001:db8::1]"])

    assert text.startswith("127.0.0.1\tlocalhost\n")
    assert text.endswith("10.0.0.2\tweb\nfd00::2\tweb\n2001:db8::1\tv6\n")


@pytest.mark.parametrize("text", ["name", "name:", ":10.0.0.1", "a b:10.0.0.1", "a:10.0.0.1\nx:y"])
def test_an_extra_host_that_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="expected name:address"):
        hosts("web", [], [text])


def test_resolvers_behind_the_stub_are_used(tmp_path: Path) -> None:
    stub, behind = tmp_path / "stub", tmp_path / "behind"
    stub.write_text("nameserver 127.0.0.53\noptions edns0\n")
    behind.write_text("nameserver 192.0.2.1\n")

    assert resolv_conf(stub, behind) == "nameserver 192.0.2.1\n"
    assert resolv_conf(behind, stub) == "nameserver 192.0.2.1\n"
    assert resolv_conf(stub, tmp_path / "absent") == stub.read_text()
    assert resolv_conf(tmp_path / "absent", behind) == ""


def test_a_missing_source_is_made_for_v_and_refused_for_mount(tmp_path: Path) -> None:
    made, refused = tmp_path / "a" / "b", tmp_path / "c"

    prepare_sources([MountOption("bind", str(made), "/a", options=("create",))])

    assert made.is_dir()
    with pytest.raises(BadRequest, match=f"bind source path does not exist: {refused}"):
        prepare_sources([MountOption("bind", str(refused), "/c")])
    prepare_sources([MountOption("tmpfs", "", "/t"), MountOption("bind", str(made), "/a")])
