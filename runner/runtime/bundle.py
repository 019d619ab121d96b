"""OCI bundles, and each container's hostname, hosts and resolv.conf.

https://github.com/opencontainers/runtime-spec/blob/main/bundle.md
"""

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from runner.errors import BadRequest
from runner.linux.directories import make_directory
from runner.runtime.contract import RuntimeSpec
from runner.schema import MountOption

_STUB_RESOLVER: Final = "127.0.0.53"
_RESOLVED: Final = Path("/run/systemd/resolve/resolv.conf")
_HOSTS: Final = (
    ("127.0.0.1", "localhost"),
    ("::1", "localhost ip6-localhost ip6-loopback"),
    ("fe00::0", "ip6-localnet"),
    ("ff00::0", "ip6-mcastprefix"),
    ("ff02::1", "ip6-allnodes"),
    ("ff02::2", "ip6-allrouters"),
)


def write_bundle(directory: Path, spec: RuntimeSpec) -> None:
    """Write the bundle, replacing that of an earlier start.

    Its directory need not survive a reboot, so nothing is synced.
    """
    try:
        directory.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        remove_bundle(directory)
        directory.mkdir(mode=0o700)
    (directory / "config.json").write_text(json.dumps(spec), encoding="utf-8")


def read_spec(directory: Path) -> RuntimeSpec:
    """Read the spec the container was created from."""
    document: RuntimeSpec = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    return document


def remove_bundle(directory: Path) -> None:
    """Remove the bundle with the monitor's files; no error if it is missing."""
    shutil.rmtree(directory, ignore_errors=True)


def write_in_place(file: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(file, flags, 0o644), "w", encoding="utf-8") as opened:
        # Readable by any user of the container, regardless of the umask.
        os.fchmod(opened.fileno(), 0o644)
        opened.write(text)


def hosts(hostname: str, addresses: Sequence[str], extra_hosts: Sequence[str] = ()) -> str:
    """The hosts file; each of ``extra_hosts`` is ``name:address``, the address as it is written."""
    entries = [*_HOSTS, *((address, hostname) for address in addresses)]
    for text in extra_hosts:
        name, separator, address = text.partition(":")
        if not (name and separator and address) or any(c.isspace() for c in text):
            raise BadRequest(f"invalid extra host {text!r}: expected name:address")
        entries.append((address.strip("[]"), name))
    return "".join(f"{address}\t{names}\n" for address, names in entries)


def resolv_conf(host_file: Path = Path("/etc/resolv.conf"), resolved: Path = _RESOLVED) -> str:
    """The host's resolv.conf; if that names only systemd's stub resolver, systemd's servers."""
    text = _read(host_file)
    servers = [line.split()[1] for line in text.splitlines() if _is_usable_nameserver(line)]
    if servers == [_STUB_RESOLVER] and (behind := _read(resolved)):
        return behind
    return text


def prepare_sources(mounts: Iterable[MountOption]) -> None:
    """Check that the source of every bind exists.

    As docker: ``-v`` creates a missing directory, ``--mount`` is refused with BadRequest.
    """
    for mount in mounts:
        if mount.kind != "bind" or os.path.exists(mount.source):
            continue
        if "create" not in mount.options:
            raise BadRequest(
                'invalid mount config for type "bind": bind source path does not exist: '
                f"{mount.source}"
            )
        make_directory(Path(mount.source))


def _is_usable_nameserver(line: str) -> bool:
    return line.split()[:1] == ["nameserver"] and len(line.split()) > 1


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
