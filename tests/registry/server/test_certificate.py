"""A certificate is judged at the start, and renewed without closing a connection."""

import os
import shutil
import ssl
from pathlib import Path

import pytest

from registry.server import Certificate, Server
from registry.server.certificate import CertificateUnusable
from tests.support.registry.certificates import a_certificate
from tests.support.registry.files_probe import get
from tests.support.registry.raw_http import Probe, connected, read_answer, running


@pytest.fixture
def files(tmp_path: Path) -> Path:
    directory = tmp_path / "tls"
    directory.mkdir()
    a_certificate(directory)
    return directory


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The files of another certificate."""
    directory = tmp_path / "other"
    directory.mkdir()
    a_certificate(directory)
    return directory


def of(directory: Path) -> Certificate:
    return Certificate(directory / "certificate.pem", directory / "key.pem")


def trusting(*directories: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for directory in directories:
        context.load_verify_locations(directory / "certificate.pem")
    return context


def renew(files: Path, other: Path) -> None:
    for name in ("key.pem", "certificate.pem"):
        shutil.copy(other / name, files / "new")
        os.replace(files / "new", files / name)


def served(server: Server, client: ssl.SSLContext) -> bytes:
    """The certificate that a new connection gets."""
    with (
        connected(server) as connection,
        client.wrap_socket(connection, server_hostname="localhost") as secure,
    ):
        secure.sendall(get("/plain"))
        assert read_answer(secure).status == 200
        return secure.getpeercert(binary_form=True) or b""


@pytest.fixture
def probe() -> Probe:
    return Probe()


def test_new_connections_get_a_renewed_certificate_and_old_ones_stay(
    files: Path, other: Path, probe: Probe
) -> None:
    certificate, client = of(files), trusting(files, other)
    first = ssl.PEM_cert_to_DER_cert((files / "certificate.pem").read_text())
    second = ssl.PEM_cert_to_DER_cert((other / "certificate.pem").read_text())

    with (
        running(probe, certificate=certificate) as server,
        connected(server) as connection,
        client.wrap_socket(connection, server_hostname="localhost") as kept,
    ):
        assert served(server, client) == first
        renew(files, other)
        assert certificate.reload_if_changed()
        assert not certificate.reload_if_changed()
        assert served(server, client) == second
        kept.sendall(get("/plain"))
        assert read_answer(kept).status == 200


def test_a_chain_without_its_key_is_not_used(
    files: Path, other: Path, caplog: pytest.LogCaptureFixture, probe: Probe
) -> None:
    certificate, client = of(files), trusting(files)
    shutil.copy(other / "certificate.pem", files / "certificate.pem")

    assert not certificate.reload_if_changed()

    assert "the key is another certificate's; the old certificate stays in use" in caplog.text
    with running(probe, certificate=certificate) as server:
        assert served(server, client)


def test_files_that_are_gone_are_said_to_be_and_the_old_certificate_stays(
    files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = of(files)
    (files / "key.pem").unlink()

    assert not certificate.reload_if_changed()
    assert "No such file or directory; the old certificate stays in use" in caplog.text


def test_a_key_that_anybody_can_read_is_refused(files: Path) -> None:
    (files / "key.pem").chmod(0o644)

    with pytest.raises(CertificateUnusable, match=r"mode 0644\), expected 0600 or 0640"):
        of(files)


def test_a_key_of_another_certificate_is_refused(files: Path, other: Path) -> None:
    with pytest.raises(CertificateUnusable, match="the key is another certificate's"):
        Certificate(files / "certificate.pem", other / "key.pem")


def test_text_that_is_no_certificate_is_refused(files: Path) -> None:
    (files / "certificate.pem").write_text("no certificate")

    with pytest.raises(CertificateUnusable, match="one of them is no PEM"):
        of(files)


def test_a_missing_file_is_named(files: Path) -> None:
    with pytest.raises(CertificateUnusable, match=r"tls_certificate .*missing\.pem: No such file"):
        Certificate(files / "missing.pem", files / "key.pem")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_ciphers_are_authenticated_and_have_forward_secrecy(
    files: Path, probe: Probe, version: ssl.TLSVersion
) -> None:
    client = trusting(files)
    client.maximum_version = version
    with (
        running(probe, certificate=of(files)) as server,
        connected(server) as connection,
        client.wrap_socket(connection, server_hostname="localhost") as secure,
    ):
        cipher = secure.cipher()

    assert cipher is not None
    assert any(mode in cipher[0] for mode in ("GCM", "CHACHA20"))


def test_tls_1_1_is_refused(files: Path, probe: Probe) -> None:
    client = trusting(files)
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        client.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        client.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        running(probe, certificate=of(files)) as server,
        connected(server) as connection,
        pytest.raises(ssl.SSLError),
    ):
        client.wrap_socket(connection, server_hostname="localhost")
