import socket
from pathlib import Path

import pytest

from runner.errors import BadRequest
from runner.schema import ContainerOptions
from runner.services.containers.etc_files import check_extra_hosts, choose_hostname, write_files

ID = "abcdef012345" + "0" * 52


def test_without_a_wish_the_hostname_is_the_short_id() -> None:
    assert choose_hostname(ContainerOptions("i"), ID) == "abcdef012345"
    assert choose_hostname(ContainerOptions("i", hostname="box"), ID) == "box"


def test_in_the_hosts_network_the_name_is_the_hosts() -> None:
    own = socket.gethostname()

    assert choose_hostname(ContainerOptions("i", network_mode="host"), ID) == own
    assert choose_hostname(ContainerOptions("i", network_mode="host", hostname="box"), ID) == "box"


@pytest.mark.parametrize("name", ["a b", "a\nb", "x" * 65, "a\tb"])
def test_a_hostname_that_would_break_the_files_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="expected at most 64 visible characters"):
        choose_hostname(ContainerOptions("i", hostname=name), ID)


@pytest.mark.parametrize("entry", ["db", "db:", ":10.0.0.1", "a b:10.0.0.1"])
def test_an_extra_host_is_a_name_and_an_address(entry: str) -> None:
    with pytest.raises(BadRequest, match="invalid extra host"):
        check_extra_hosts(ContainerOptions("i", extra_hosts=(entry,)))


def test_the_files_name_the_container_and_its_extra_hosts(tmp_path: Path) -> None:
    options = ContainerOptions("i", domainname="lan", extra_hosts=("db:10.0.0.1", "v6:[::1]"))

    write_files(tmp_path, options, "box")

    hosts = (tmp_path / "hosts").read_text().splitlines()
    assert (tmp_path / "hostname").read_text() == "box.lan\n"
    assert "127.0.0.1\tlocalhost" in hosts
    assert "127.0.1.1\tbox.lan box" in hosts
    assert hosts[-2:] == ["10.0.0.1\tdb", "::1\tv6"]
    assert (tmp_path / "resolv.conf").exists()


def test_in_the_hosts_network_its_hosts_are_known(tmp_path: Path) -> None:
    options = ContainerOptions("i", network_mode="host", extra_hosts=("db:10.0.0.1",))

    write_files(tmp_path, options, "box")

    written = (tmp_path / "hosts").read_text()
    assert written.startswith(Path("/etc/hosts").read_text().rstrip("\n"))
    assert written.endswith("10.0.0.1\tdb\n")


def test_the_files_are_changed_in_place_for_who_has_them_bound(tmp_path: Path) -> None:
    write_files(tmp_path, ContainerOptions("i"), "before")
    inode = (tmp_path / "hosts").stat().st_ino

    write_files(tmp_path, ContainerOptions("i"), "after")

    assert (tmp_path / "hosts").stat().st_ino == inode
    assert "after" in (tmp_path / "hosts").read_text()
    assert "before" not in (tmp_path / "hosts").read_text()
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o644}


@pytest.mark.parametrize("domainname", ["a b", "a\nevil 10.0.0.1", "a\0", "a" * 65, "\x1b[2J"])
def test_a_domain_name_that_could_not_be_written_is_refused_at_create(domainname: str) -> None:
    with pytest.raises(BadRequest, match="invalid hostname"):
        check_extra_hosts(ContainerOptions("i", domainname=domainname))
