"""Certificate: the chain and key of a TLS server, read again without closing a connection.

https://www.rfc-editor.org/rfc/rfc9325 has the recommendations that the context follows.
"""

import logging
import os
import ssl
import stat
from pathlib import Path

from registry.errors import StartupError

# TLS 1.2 only with forward secrecy and authenticated encryption; 1.3 has nothing else.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

log = logging.getLogger("registry.server")


class CertificateUnusable(StartupError):
    """The certificate or its key cannot be used, with the reason."""


class Certificate:
    """A server's certificate; ``context`` is the same over all readings.

    Connections keep what they began with, later ones get the newest.  Raises CertificateUnusable.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain, self._key = chain, key
        self._seen = self._stamp()
        self.context = self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def reload_if_changed(self) -> bool:
        """Read the files again if they have changed since; true if they are used now.

        A chain without its key, in the middle of a renewal, is not used: the old one stays.
        """
        try:
            stamp = self._stamp()
        except CertificateUnusable as error:
            log.error("%s; the old certificate stays in use", error)
            return False
        return stamp != self._seen and self.reload(stamp)

    def reload(self, stamp: object = None) -> bool:
        """Read the files again; true if they are used now, else the reason is logged."""
        try:
            found = self._stamp() if stamp is None else stamp
            # First into a context that nobody uses: a failed load may leave half of a pair.
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._load(self.context)
        except CertificateUnusable as error:
            log.error("%s; the old certificate stays in use", error)
            return False
        self._seen = found
        log.warning("the certificate %s is read again", self._chain)
        return True

    def _load(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        try:
            context.load_cert_chain(self._chain, self._key, password=_no_password)
        except (OSError, ssl.SSLError) as error:
            raise CertificateUnusable(
                f"tls_certificate {self._chain} with tls_key {self._key}: {_reason(error)}"
            ) from None
        return context

    def _stamp(self) -> object:
        """Another value once a file is written or replaced; raises CertificateUnusable."""
        found = []
        for name, path in (("tls_certificate", self._chain), ("tls_key", self._key)):
            try:
                status = os.stat(path)
            except OSError as error:
                raise CertificateUnusable(f"{name} {path}: {error.strerror}") from None
            if path == self._key and status.st_mode & stat.S_IRWXO:
                raise CertificateUnusable(
                    f"{name} {path} can be read or written by anybody on this machine (mode "
                    f"{stat.S_IMODE(status.st_mode):04o}), expected 0600 or 0640"
                )
            found.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
        return tuple(found)


def _no_password() -> bytes:
    """Refuse a key with a password: OpenSSL would ask for it at the terminal."""
    raise CertificateUnusable("the key is encrypted, expected one without a password")


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        if error.reason == "KEY_VALUES_MISMATCH":
            return "the key is another certificate's"
        return f"one of them is no PEM ({error})"
    return error.strerror or str(error)
