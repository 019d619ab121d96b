"""Large blobs through nginx with TLS, as docs/proxies.md has it: pushed two ways, and pulled."""

import hashlib
import random
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2

from oci.digest import Digest
from tests.support.proxies import nginx
from tests.support.registry.team import Account, Team, team

MIB = 1024 * 1024
NAME = "team/large"


@dataclass(frozen=True)
class Passage:
    """One way of a blob through the proxy."""

    way: str
    seconds: float


@dataclass(frozen=True)
class LargeBlob:
    """Zeros with some random bytes in each MiB; made anew whenever they are read."""

    mebibytes: int
    seed: int

    def __iter__(self) -> Iterator[bytes]:
        chosen = random.Random(self.seed)  # noqa: S311  (content, no secret)
        for _ in range(self.mebibytes):
            yield chosen.randbytes(64) + bytes(MIB - 64)

    @property
    def digest(self) -> Digest:
        found = hashlib.sha256()
        for chunk in self:
            found.update(chunk)
        return Digest("sha256", found.hexdigest())


def proxy_campaign(
    directory: Path, *, mebibytes: int, tell: Callable[[str], object] = lambda _: None
) -> list[str]:
    """Push and pull blobs of this size; returns all that nginx complained of."""
    with team(directory, behind=nginx) as made:
        context = ssl.create_default_context(cafile=str(made.certificate))
        robot = made.robot("push", "team/*")
        with _client(made, robot, context) as client:
            for place, method in enumerate(("PATCH", "PUT")):
                blob = LargeBlob(mebibytes, place)
                for passage in (_push(client, blob, method), _pull(client, blob)):
                    rate = mebibytes / passage.seconds
                    tell(f"{passage.way}: {passage.seconds:.1f} s, {rate:.0f} MiB/s")
    # At level warn nginx tells of each body that it has written to its own disk first.
    return (directory / "proxy" / "error.log").read_text().splitlines()


def _client(made: Team, robot: Account, context: ssl.SSLContext) -> httpx2.Client:
    return httpx2.Client(
        base_url=f"https://{made.host}",
        auth=(robot.name, robot.secret),
        verify=context,
        timeout=300,
    )


def _push(client: httpx2.Client, blob: LargeBlob, method: str) -> Passage:
    """All of it in one request, as docker sends a layer by PATCH, or with its digest by PUT."""
    digest = str(blob.digest)
    size = {"Content-Length": str(blob.mebibytes * MIB)}
    begun = time.monotonic()
    started = client.post(f"/v2/{NAME}/blobs/uploads/").raise_for_status()
    location = started.headers["Location"]
    if method == "PATCH":
        sent = client.patch(location, content=blob, headers=size).raise_for_status()
        location = sent.headers["Location"]
        client.put(location, params={"digest": digest}).raise_for_status()
    else:
        sent = client.put(location, params={"digest": digest}, content=blob, headers=size)
        sent.raise_for_status()
    client.head(f"/v2/{NAME}/blobs/{digest}").raise_for_status()
    return Passage(f"push by {method}", time.monotonic() - begun)


def _pull(client: httpx2.Client, blob: LargeBlob) -> Passage:
    begun = time.monotonic()
    found = hashlib.sha256()
    with client.stream("GET", f"/v2/{NAME}/blobs/{blob.digest}") as response:
        response.raise_for_status()
        for chunk in response.iter_bytes(MIB):
            found.update(chunk)
    pulled = Digest("sha256", found.hexdigest())
    if pulled != blob.digest:
        raise AssertionError(f"pulled {pulled}, expected {blob.digest}")
    return Passage("pull", time.monotonic() - begun)
