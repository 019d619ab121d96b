"""nginx, or Caddy, in front of a registry, with the very lines of docs/proxies.md."""

import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import Server, needs_program
from tests.support.tls import tls_contexts

PAGE = Path(__file__).parents[2] / "docs" / "proxies.md"

_AROUND = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
{user}
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{snippet}
}}
"""

_CADDY_OPTIONS = """{
    admin off
    auto_https disable_redirects
}
"""


@dataclass(frozen=True)
class Proxy:
    """A running proxy: the address that clients use, and the certificate that they must trust."""

    port: int
    certificate: Path
    directory: Path

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"https://{self.host}"


def snippet(language: str) -> str:
    """The one block of the page in this language."""
    (found,) = re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    return str(found)


def filled(text: str, values: dict[str, str]) -> str:
    """The text with each key, which stands in it once, replaced by its value."""
    for key, value in values.items():
        assert text.count(key) == 1, f"{key} stands {text.count(key)} times in docs/proxies.md"
        text = text.replace(key, value)
    return text


@contextmanager
def nginx(directory: Path, *, port: int, registry_port: int) -> Iterator[Proxy]:
    """nginx on ``port`` with TLS, in front of the registry on ``registry_port``."""
    program = needs_program("nginx")
    directory.mkdir(parents=True, exist_ok=True)
    tls_contexts(directory)
    certificate = directory / "certificate.pem"
    values = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "server_name registry.example;": "server_name localhost;",
        "/etc/ssl/registry.example/fullchain.pem": str(certificate),
        "/etc/ssl/registry.example/privkey.pem": str(directory / "key.pem"),
        "server 127.0.0.1:5000;": f"server 127.0.0.1:{registry_port};",
    }
    # As root nginx would run its workers as nobody, who may not enter a directory of a test.
    user = "user root;" if os.geteuid() == 0 else ""
    config = directory / f"nginx-{secrets.token_hex(3)}.conf"
    config.write_text(
        _AROUND.format(directory=directory, user=user, snippet=filled(snippet("nginx"), values))
    )
    command: list[str | Path] = [program, "-e", directory / "error.log", "-c", config]
    server = Server(command, directory / "nginx.log", lambda: _listens(port))
    server.start()
    try:
        yield Proxy(port, certificate, directory)
    finally:
        server.stop()


@contextmanager
def caddy(directory: Path, *, port: int, registry_port: int) -> Iterator[Proxy]:
    """Caddy on ``port`` with the tests' certificate, in front of the registry."""
    program = needs_program("caddy")
    directory.mkdir(parents=True, exist_ok=True)
    tls_contexts(directory)
    certificate = directory / "certificate.pem"
    values = {
        "registry.example {": f"localhost:{port} {{\n    tls {certificate} {directory}/key.pem",
        "127.0.0.1:5000": f"127.0.0.1:{registry_port}",
    }
    config = directory / "Caddyfile"
    config.write_text(_CADDY_OPTIONS + filled(snippet("caddy"), values))
    command: list[str | Path] = [program, "run", "--adapter", "caddyfile", "--config", config]
    home = {"HOME": str(directory), "XDG_CONFIG_HOME": str(directory)}
    server = Server(command, directory / "caddy.log", lambda: _listens(port), home)
    server.start()
    try:
        yield Proxy(port, certificate, directory)
    finally:
        server.stop()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        return True
    return False
