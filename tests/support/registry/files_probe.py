"""An application that serves files of a few sizes, and requests for them."""

import os
from pathlib import Path

from tests.support.registry.raw_http import Probe

SMALL = os.urandom(4096)
LARGE = os.urandom(9 * 1024 * 1024 + 1)


def files_probe(directory: Path) -> Probe:
    """Serves ``small``, ``large`` and ``empty`` from this directory."""
    (directory / "small").write_bytes(SMALL)
    (directory / "large").write_bytes(LARGE)
    (directory / "empty").write_bytes(b"")
    return Probe(directory)


def get(target: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    lines = [f"{method} {target} HTTP/{version}", "Host: a", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def last(target: str, method: str = "GET") -> bytes:
    return get(target, "Connection: close", method=method)
