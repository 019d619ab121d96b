"""A container's hostname, and its own /etc/hostname, /etc/hosts and /etc/resolv.conf."""

import socket
from pathlib import Path
from typing import Final

from runner.errors import BadRequest
from runner.runtime.bundle import hosts, resolv_conf, write_in_place
from runner.schema import ContainerOptions

# The kernel's limit, in bytes, on a hostname and on a domain name.
_MAX_NAME: Final = 64
# Debian's address for the own name of a host without a network.
_OWN_ADDRESS: Final = "127.0.1.1"


def choose_hostname(options: ContainerOptions, container: str) -> str:
    """The requested hostname; else the host's, in the host's network; else the short ID."""
    if options.hostname:
        return _checked(options.hostname)
    if options.network_mode == "host" or options.uts_mode == "host":
        return socket.gethostname()
    return container[:12]


def check_extra_hosts(options: ContainerOptions) -> None:
    """Raise BadRequest for an ``--add-host`` that is not ``name:address``, or a bad domain name."""
    hosts("", (), options.extra_hosts)
    _checked(options.domainname)


def write_files(directory: Path, options: ContainerOptions, hostname: str) -> None:
    """Write the three files into the container's directory; blocking.

    In the host's network, hosts includes the host's own entries.
    """
    full = f"{hostname}.{_checked(options.domainname)}" if options.domainname else hostname
    names = hostname if full == hostname else f"{full} {hostname}"
    if options.network_mode == "host":
        added = hosts("", (), options.extra_hosts).removeprefix(hosts("", ()))
        table = _read(Path("/etc/hosts")) + added
    else:
        table = hosts(names, (_OWN_ADDRESS,), options.extra_hosts)
    write_in_place(directory / "hostname", f"{full}\n")
    write_in_place(directory / "hosts", table)
    write_in_place(directory / "resolv.conf", resolv_conf())


def _read(path: Path) -> str:
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return content if content.endswith("\n") else f"{content}\n"


def _checked(name: str) -> str:
    visible = name.isprintable() and not any(character.isspace() for character in name)
    if len(name.encode()) > _MAX_NAME or not visible:
        raise BadRequest(
            f"invalid hostname {name[:80]!r}: expected at most {_MAX_NAME} visible characters"
        )
    return name
