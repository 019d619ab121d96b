"""Trust: certificates kept for one host."""

import asyncio
import ssl
from pathlib import Path

import pytest

from runner.remote.errors import RemoteUntrusted
from runner.remote.transport.tls import tls_context, trust_state
from tests.support.tls import tls_contexts


async def shakes_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> bool:
    """Whether a connection to localhost comes to be."""

    def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=server)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        try:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=client, server_hostname="localhost"
            )
        except ssl.SSLCertVerificationError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


async def test_an_authority_is_trusted_for_the_host_it_is_kept_for(tmp_path: Path) -> None:
    server, _ = tls_contexts(tmp_path)
    kept = tmp_path / "certs.d" / "registry.test:5000"
    kept.mkdir(parents=True)
    (kept / "ca.crt").write_bytes((tmp_path / "certificate.pem").read_bytes())
    directories = [tmp_path / "certs.d"]

    assert await shakes_hands(server, tls_context("registry.test:5000", directories))
    assert not await shakes_hands(server, tls_context("other.test:5000", directories))


def test_a_client_certificate_is_loaded_with_its_key(tmp_path: Path) -> None:
    tls_contexts(tmp_path)
    kept = tmp_path / "registry.test"
    kept.mkdir()
    (kept / "client.cert").write_bytes((tmp_path / "certificate.pem").read_bytes())

    with pytest.raises(RemoteUntrusted, match=r"client.cert: not usable"):
        tls_context("registry.test", [tmp_path])
    (kept / "client.key").write_bytes((tmp_path / "key.pem").read_bytes())
    tls_context("registry.test", [tmp_path])


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    kept = tmp_path / "registry.test"
    kept.mkdir()
    (kept / "ca.crt").write_text("no certificate")

    with pytest.raises(RemoteUntrusted, match=r"ca.crt: not usable"):
        tls_context("registry.test", [tmp_path])


def test_an_authority_that_is_added_later_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "certs.d" / "registry.test"
    directories = [tmp_path / "certs.d"]
    system = tmp_path / "system.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    states = [trust_state("registry.test", directories)]

    kept.mkdir(parents=True)
    (kept / "ca.crt").write_text("first")
    states.append(trust_state("registry.test", directories))
    (kept / "ca.crt").unlink()
    (kept / "ca.crt").write_text("second")
    states.append(trust_state("registry.test", directories))
    system.write_text("third")
    states.append(trust_state("registry.test", directories))

    assert len(set(states)) == 4
    assert trust_state("registry.test", directories) == states[-1]
