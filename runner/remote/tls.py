"""TLS: whose certificates a registry may show, and which of ours it gets to see.

https://docs.docker.com/engine/security/certificates/
"""

import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from runner.remote.errors import RemoteUntrusted

# For each host a directory: *.crt are authorities to trust besides the system's, NAME.cert with
# NAME.key what to show of ourselves.
DIRECTORIES = (Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))

TrustState = tuple[tuple[str, int, int], ...]
"""Which files say what is trusted: name, inode and time of change of each."""


def trust_state(host: str, directories: Sequence[Path] = DIRECTORIES) -> TrustState:
    """Equal as long as ``tls_context`` would give the same; a few stat(2) calls."""
    system = ssl.get_default_verify_paths()
    named = [Path(name) for name in (system.cafile, system.capath) if name]
    kept = [file for directory in directories for file in _files(directory / host)]
    state = []
    for file in (*named, *kept):
        with suppress(OSError):
            found = file.stat()
            state.append((str(file), found.st_ino, found.st_mtime_ns))
    return tuple(state)


def tls_context(host: str, directories: Sequence[Path] = DIRECTORIES) -> ssl.SSLContext:
    """A client's context for one host: the system's authorities, and those kept for this host."""
    context = ssl.create_default_context()
    for directory in directories:
        for file in _files(directory / host):
            try:
                if file.suffix == ".crt":
                    context.load_verify_locations(file)
                elif file.suffix == ".cert":
                    context.load_cert_chain(file, file.with_suffix(".key"))
            except (OSError, ssl.SSLError) as error:
                raise RemoteUntrusted(f"{file}: not usable: {error}") from error
    return context


def plaintext_context() -> ssl.SSLContext:
    """For plain HTTP: trusts nobody, and takes no time to make."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
