"""Application: request ids, one log line per request, and responses to unexpected errors."""

import io
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from oci.digest import Digest
from registry.api.application import Application
from registry.api.routes import ENDPOINTS, Endpoint
from registry.api.routing import Router
from registry.app import build_application
from registry.background import BackgroundTasks
from registry.config import AccessSettings, LogSettings, Settings, StorageSettings
from registry.errors import StorageFull
from registry.logs import RequestLog, configure_logs
from registry.services.uploads import Uploads
from registry.storage.disk.root import Root
from tests.registry.api.conftest import client_of
from tests.support.images import an_image
from tests.support.registry.schema import upgrade
from tests.support.registry.wire import NAME, envelope, lived, push_image, refused, start


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, as JSON lines."""
    stream = io.StringIO()
    configure_logs("json", "info", stream)
    yield stream
    configure_logs("json", "info")


@pytest.fixture
async def application(root: Path, log: io.StringIO) -> AsyncIterator[Application]:
    """The real application with two more endpoints, which fail."""
    settings = Settings(
        access=AccessSettings("push"),
        storage=StorageSettings(root),
        logs=LogSettings(requests=False),
    )
    with Root.open(root) as opened_root:
        upgrade(opened_root.database)
        application = build_application(settings, opened_root, BackgroundTasks())
        broken = [
            Endpoint("x", "GET", "/broken", "open", broken_before),
            Endpoint("x", "GET", "/gone", "open", gone),
        ]
        application._router = Router([*ENDPOINTS, *broken])
        application._requests = RequestLog("json", log)
        async with lived(application):
            yield application


@pytest.fixture
def client(application: Application) -> httpx2.AsyncClient:
    return client_of(application)


async def broken_before(request: object, registry: object) -> Response:
    raise RuntimeError("the disk said: hunter2")


async def gone(request: object, registry: object) -> Response:
    raise ClientDisconnect


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


async def test_every_request_is_one_line(client: httpx2.AsyncClient, log: io.StringIO) -> None:
    image = an_image()
    await push_image(client, image)
    log.truncate(0)
    log.seek(0)

    answer = await client.get(f"/v2/{NAME}/manifests/latest?secret=hunter2")

    (line,) = lines(log)
    assert line["event"] == "request"
    assert line["method"] == "GET"
    assert line["path"] == f"/v2/{NAME}/manifests/latest"
    assert line["status"] == 200
    assert line["bytes"] == len(image.manifest)
    assert line["repository"] == NAME
    assert line["reference"] == "latest"
    assert line["client"] == "127.0.0.1"
    assert line["duration_ms"] > 0
    assert line["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("given", ["a", "abc-123_X.y", "0" * 64])
async def test_a_sane_request_id_is_kept(client: httpx2.AsyncClient, given: str) -> None:
    answer = await client.get("/healthz", headers={"X-Request-Id": given})

    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a b", '"', "0" * 65, "é", "a,b", "<script>"])
async def test_any_other_request_id_is_replaced(client: httpx2.AsyncClient, given: str) -> None:
    answer = await client.get("/healthz", headers={b"X-Request-Id": given.encode()})

    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])


async def test_a_failure_is_answered_with_the_id_under_which_the_log_tells_it(
    client: httpx2.AsyncClient, log: io.StringIO
) -> None:
    answer = await client.get("/broken")

    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in envelope(answer)[0]["message"]
    assert "hunter2" not in answer.text
    failure, request = lines(log)
    assert "RuntimeError" in failure["exception"]
    assert failure["request_id"] == answer.headers["x-request-id"] == request["request_id"]
    assert request["status"] == 500


async def test_a_disconnect_is_one_log_line_and_no_error(
    application: Application, log: io.StringIO
) -> None:
    with pytest.raises(AssertionError):  # httpx2 waits for a response that is not sent
        await client_of(application).get("/gone")

    (line,) = lines(log)
    assert line["status"] == 499
    assert line["level"] == "info"


async def test_an_upload_resumes_after_a_disconnect(
    application: Application, log: io.StringIO
) -> None:
    client = client_of(application)
    content = b"x" * 1000
    location = await start(client)
    messages = iter(
        [
            {"type": "http.request", "body": content[:400], "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        pytest.fail(f"nobody is there for {message}")

    await application(scope_of("PATCH", location), receive, send)
    status = await client.get(location)
    patched = await client.patch(location, content=content[400:])
    done = await client.put(location, params={"digest": str(Digest.of(content))})

    assert status.headers["range"] == "0-399"
    assert (patched.status_code, done.status_code) == (202, 201)
    assert [line["status"] for line in lines(log)] == [202, 499, 204, 202, 201]


def scope_of(method: str, path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
    }


async def test_lg_1_no_secret_reaches_the_log(client: httpx2.AsyncClient, log: io.StringIO) -> None:
    canary = "hunter2"
    headers = {"Authorization": f"Bearer {canary}", "Cookie": canary, "X-Token": canary}
    for path in ("/v2/", f"/v2/a/tags/list?last={canary}!", "/broken", f"/v2/_catalog?n={canary}"):
        await client.get(path, headers=headers)
        await client.get(path, auth=("user", canary))

    text = log.getvalue()
    assert text.count("/broken") >= 2
    assert canary not in text.replace("the disk said: hunter2", "")


@pytest.mark.parametrize(
    "text", ["\r\nX-Evil: 1", "\n", "\x00", "\x1b[31m", "\u2028", '"}\n{"a":"']
)
async def test_a_path_cannot_write_lines_of_its_own(
    client: httpx2.AsyncClient, log: io.StringIO, text: str
) -> None:
    answer = await client.get(f"/v2/{quote(text)}/tags/list", params={"last": text, "n": text})

    assert 400 <= answer.status_code < 500
    assert len(lines(log)) == 1
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize("field", ["name", "tag", "n", "last", "digest", "from", "artifactType"])
async def test_ht_2_nothing_of_a_request_is_echoed_into_a_header(
    client: httpx2.AsyncClient, field: str
) -> None:
    evil = "%0d%0aX-Evil:%20yes"
    digest = Digest.of(b"")
    paths = {
        "name": f"/v2/{evil}/tags/list",
        "tag": f"/v2/a/manifests/{evil}",
        "n": f"/v2/_catalog?n={evil}",
        "last": f"/v2/_catalog?last={evil}",
        "digest": f"/v2/a/blobs/{evil}",
        "from": f"/v2/a/blobs/uploads/?mount={digest}&from={evil}",
        "artifactType": f"/v2/a/referrers/{digest}?artifactType={evil}",
    }
    method = "POST" if field == "from" else "GET"

    answer = await client.request(method, paths[field])

    assert "x-evil" not in answer.headers
    assert not any("yes" in value for value in answer.headers.values())


async def test_readiness_ends_when_the_server_stops(application: Application) -> None:
    client = client_of(application)
    before = await client.get("/readyz")

    application.is_stopping = lambda: True

    after = await client.get("/readyz")
    assert (before.status_code, before.json()) == (200, {"status": "ready"})
    assert (after.status_code, after.json()) == (503, {"status": "stopping"})
    assert (await client.get("/healthz")).status_code == 200


async def test_v2_has_the_api_version(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/v2/")

    assert answer.status_code == 200
    assert answer.json() == {}
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


async def test_the_disk_that_is_full_is_an_answer_and_not_a_failure(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*args: object, **kwargs: object) -> None:
        raise StorageFull

    monkeypatch.setattr(Uploads, "start", full)

    refused(await client.post(f"/v2/{NAME}/blobs/uploads/"), 507, "DENIED")
