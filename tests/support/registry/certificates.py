"""A registry's certificate for localhost, and a client that trusts it."""

import ssl
from pathlib import Path

from registry.server import Certificate
from tests.support.tls import tls_contexts


def a_certificate(directory: Path) -> tuple[Certificate, ssl.SSLContext]:
    """``certificate.pem`` and ``key.pem``, made in the directory."""
    _, theirs = tls_contexts(directory)
    return Certificate(directory / "certificate.pem", directory / "key.pem"), theirs
