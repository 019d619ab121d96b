"""A registry that is closed to strangers, with an owner; robots, grants and locks as tests need."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.config import load_settings
from registry.offline import administer
from tests.support.ports import free_port
from tests.support.processes import RegistryServer, registry_server
from tests.support.proxies import Proxy

OpenProxy = Callable[..., AbstractContextManager[Proxy]]

OWNER = "ada"
PASSWORD = "a password of the test's own"  # noqa: S105  (of a registry that ends with the test)


@dataclass(frozen=True)
class Account:
    """A name with its password or token, and the token's id."""

    name: str
    secret: str = field(repr=False)
    id: str = ""


@dataclass(frozen=True)
class Team:
    """A running registry, and the address that its clients use."""

    registry: RegistryServer
    host: str
    certificate: Path | None
    """Of the proxy in front, for clients to trust; None for plain HTTP."""
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def administer(self, command: str, **arguments: Any) -> list[dict[str, Any]]:
        """Run a command of the operator's, in the server."""
        settings = load_settings(flags={"storage.root": str(self.registry.root)})
        return [dict(document) for document in administer(settings, command, arguments)]

    def owner(self) -> Account:
        return Account(OWNER, PASSWORD)

    def robot(self, role: str, pattern: str) -> Account:
        """A new robot that holds one role."""
        name = f"robot-{next(self.numbers)}"
        (added,) = self.administer("robot add", name=name, grants=[[role, pattern]])
        return Account(name, added["secret"], added["id"])

    def user(self) -> Account:
        """A new user, who may do nothing."""
        name = f"user-{next(self.numbers)}"
        self.administer("user add", name=name, password=PASSWORD)
        return Account(name, PASSWORD)


@contextmanager
def team(directory: Path, *, behind: OpenProxy | None = None) -> Iterator[Team]:
    """A registry with its first owner; with a proxy, clients reach it only by its external URL."""
    port = free_port()
    proxied = {
        "REGISTRY_SERVER__EXTERNAL_URL": f"https://localhost:{port}",
        "REGISTRY_SERVER__TRUSTED_PROXIES": "127.0.0.1",
    }
    environment = proxied if behind else {}
    root = directory / "registry"
    with registry_server(root, anonymous="none", environment=environment) as registry:
        made = Team(registry, registry.host, None)
        made.administer("setup", name=OWNER, password=PASSWORD)
        if behind is None:
            yield made
            return
        with behind(directory / "proxy", port=port, registry_port=registry.port) as proxy:
            yield Team(registry, proxy.host, proxy.certificate)
