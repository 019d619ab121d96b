"""Every refusal has the same body, whoever refuses: the application or the server itself."""

import ast
import json
from http import HTTPStatus
from pathlib import Path

import pytest

from oci.digest import Digest
from oci.errors import ErrorCode, OCIError
from registry.api.errors import JSON, QueryInvalid, fail, refuse
from registry.errors import BlobUnknown, ManifestBlobUnknown, ManifestReferencesMissing
from registry.server.http.connection import TooManyConnections
from registry.server.http.refusals import INTERNAL_ERROR, refusal
from registry.server.http.request_head import MalformedRequest

ROOT = Path(__file__).parents[4]
DIGEST = Digest("sha256", "0" * 64)
ERRORS = (
    MalformedRequest("a request line that cannot be read"),
    QueryInvalid("found n twice, expected it once"),
    BlobUnknown(DIGEST),
)


# Every kind of refusal that the server sends by itself: the connection's kinds are among them.
BY_THE_SERVER: tuple[type[MalformedRequest], ...] = (
    MalformedRequest,
    *MalformedRequest.__subclasses__(),
)


def split(response: bytes) -> tuple[bytes, bytes]:
    head, _, body = response.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.splitlines()
    return head, body


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_has_the_same_body_from_the_server_and_from_the_application(
    error: OCIError,
) -> None:
    head, body = split(refusal(error))
    response = refuse("/v2/", error)

    assert body == response.body
    assert head.startswith(f"HTTP/1.1 {response.status_code} ".encode())
    assert f"content-type: {JSON}".encode() in head.splitlines()


@pytest.mark.parametrize(
    "body",
    [
        *(split(refusal(error))[1] for error in ERRORS),
        *(bytes(refuse("/v2/", error).body) for error in ERRORS),
        bytes(refuse("/v2/", ManifestReferencesMissing([ManifestBlobUnknown(DIGEST)])).body),
        bytes(fail("request-1").body),
        split(INTERNAL_ERROR)[1],
    ],
)
def test_every_body_is_the_specs_envelope_and_leaves_an_empty_detail_out(body: bytes) -> None:
    document = json.loads(body)

    assert list(document) == ["errors"]
    for entry in document["errors"]:
        assert list(entry) in (["code", "message"], ["code", "message", "detail"])
        assert entry.get("detail", {}) is not None
    assert body == json.dumps(document, separators=(",", ":")).encode()


@pytest.mark.parametrize("code", ErrorCode, ids=lambda code: code.name)
def test_no_cache_keeps_an_error_of_the_application(code: ErrorCode) -> None:
    kind = type("Refused", (OCIError,), {"code": code})

    assert refuse("/v2/", kind("refused")).headers["cache-control"] == "no-store"


def test_no_cache_keeps_a_failure() -> None:
    assert fail("request-1").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "response",
    [INTERNAL_ERROR, *(refusal(kind("refused")) for kind in BY_THE_SERVER)],
    ids=["InternalError", *(kind.__name__ for kind in BY_THE_SERVER)],
)
def test_no_cache_keeps_an_error_of_the_server(response: bytes) -> None:
    assert TooManyConnections in BY_THE_SERVER
    assert b"cache-control: no-store" in split(response)[0].splitlines()


def test_an_unforeseen_failure_has_the_same_status_and_code_from_both() -> None:
    response = fail("request-1")
    head, body = split(INTERNAL_ERROR)

    assert response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert head.startswith(b"HTTP/1.1 500 ")
    assert [entry["code"] for content in (body, response.body) for entry in errors(content)] == [
        "UNKNOWN",
        "UNKNOWN",
    ]


def errors(body: bytes | memoryview) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = json.loads(bytes(body))["errors"]
    return entries


def test_the_envelope_is_built_in_one_module() -> None:
    modules = [path for package in ("oci", "registry") for path in (ROOT / package).rglob("*.py")]

    builders = [path for path in modules if builds_an_envelope(ast.parse(path.read_text()))]

    assert builders == [ROOT / "oci" / "http.py"]


def builds_an_envelope(tree: ast.AST) -> bool:
    """Whether a module has a dict display with the key ``errors``."""
    return any(
        isinstance(key, ast.Constant) and key.value == "errors"
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
    )
