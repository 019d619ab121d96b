"""TLS contexts: trusted authorities and client certificates per registry.

https://docs.docker.com/engine/security/certificates/
"""

import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from runner.remote.errors import RemoteUntrusted

# Each has a directory per host: *.crt are additional authorities, NAME.cert is a client
# certificate, NAME.key its key.
DIRECTORIES = (Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))

TrustState = tuple[tuple[str, int, int], ...]
"""The files of a host's certificates: name, inode and change time of each."""


def trust_state(host: str, directories: Sequence[Path] = DIRECTORIES) -> TrustState:
    """A value that changes when the result of ``tls_context`` would; costs a few stat(2) calls."""
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
    """A client context that trusts the system's authorities and those configured for this host."""
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
    """A context for plain HTTP: loads no authorities, so it is fast to make."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
