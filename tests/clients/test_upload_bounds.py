"""skopeo against a registry whose uploads are all taken: it waits, tries again, and loses nothing.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from oci.digest import Digest
from tests.clients.conftest import Run
from tests.clients.layouts import blobs_of, write_layout
from tests.support import http
from tests.support.images import an_image
from tests.support.processes import RegistryServer, registry_server

# Clients here are anonymous: each address is bounded.
SETTINGS = {"REGISTRY_UPLOADS__MAX_PER_ADDRESS": "1"}
CONTENT = b"what was being pushed before" * 1000
TIMEOUT_SECONDS = 60.0


def test_a_push_over_the_bound_of_uploads_waits_for_its_turn(tmp_path: Path, run: Run) -> None:
    # One layer: skopeo sends several at once, and would be over the bound by itself.
    here = write_layout(tmp_path / "here", an_image(layers=1))

    with (
        registry_server(tmp_path / "root", environment=SETTINGS) as registry,
        ThreadPoolExecutor(1) as pool,
    ):
        first = begin(registry)
        there = f"docker://{registry.host}/skopeo/bounds:latest"
        command = ("--preserve-digests", "--dest-tls-verify=false", f"oci:{here}:latest", there)
        pushing = pool.submit(run, "skopeo", "copy", *command)
        wait_for_a_refusal(registry, pushing)
        finish(registry, first)
        pushing.result()
        back = tmp_path / "back"
        run("skopeo", "copy", "--src-tls-verify=false", there, f"oci:{back}:latest")
        kept = http.get(f"{registry.url}/v2/other/app/blobs/{Digest.of(CONTENT)}")

    assert blobs_of(back) == blobs_of(here)
    assert kept.content == CONTENT
    starts = [status for method, status in answers(registry) if method == "POST"]
    assert starts[0] == 429
    assert starts.count(202) == len(blobs_of(here)) - 1


def test_a_refusal_says_when_to_come_back_and_what_there_is_too_much_of(tmp_path: Path) -> None:
    with registry_server(tmp_path / "root", environment=SETTINGS) as registry:
        first = begin(registry)
        refused = http.post(f"{registry.url}/v2/skopeo/bounds/blobs/uploads/")
        finish(registry, first)
        after = http.post(f"{registry.url}/v2/skopeo/bounds/blobs/uploads/")

    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    [error] = refused.json()["errors"]
    assert error["code"] == "TOOMANYREQUESTS"
    assert "has 1 uploads open, expected at most 1" in error["message"]
    assert after.status_code == 202


def begin(registry: RegistryServer) -> str:
    """Take the only upload there may be, and send half of it; returns its location."""
    answer = http.post(f"{registry.url}/v2/other/app/blobs/uploads/").raise_for_status()
    half = CONTENT[: len(CONTENT) // 2]
    location = str(answer.headers["location"])
    return str(
        http.patch(registry.url + location, content=half).raise_for_status().headers["location"]
    )


def finish(registry: RegistryServer, location: str) -> None:
    rest = CONTENT[len(CONTENT) // 2 :]
    digest = {"digest": str(Digest.of(CONTENT))}
    http.put(registry.url + location, params=digest, content=rest).raise_for_status()


def wait_for_a_refusal(registry: RegistryServer, pushing: Future[str]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while ("POST", 429) not in answers(registry):
        assert not pushing.done(), pushing.result()
        assert time.monotonic() < deadline, "skopeo began no upload"
        time.sleep(0.02)


def answers(registry: RegistryServer) -> list[tuple[str, int]]:
    """Method and status of every answer that skopeo got."""
    whole = registry.server.log.read_text().rpartition("\n")[0]
    lines = [json.loads(line) for line in whole.splitlines()]
    ours = [line for line in lines if line.get("repository") == "skopeo/bounds"]
    return [(line["method"], line["status"]) for line in ours]
