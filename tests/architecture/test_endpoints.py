"""The endpoint table is the spec's table."""

import inspect
import re
from pathlib import Path

import pytest

from registry.api.routes import ENDPOINTS, Endpoint
from registry.api.routing import Router

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints, after v1.1.1
SPEC = """
| end-1   | `GET`          | `/v2/`                                                         |
| end-2   | `GET` / `HEAD` | `/v2/<name>/blobs/<digest>`                                    |
| end-3   | `GET` / `HEAD` | `/v2/<name>/manifests/<tag-or-digest>`                         |
| end-4a  | `POST`         | `/v2/<name>/blobs/uploads/`                                    |
| end-4b  | `POST`         | `/v2/<name>/blobs/uploads/?digest=<digest>`                    |
| end-4c  | `POST`         | `/v2/<name>/blobs/uploads/?digest-algorithm=<algorithm>`       |
| end-5   | `PATCH`        | `<blob-push-location>`                                         |
| end-6   | `PUT`          | `<blob-push-location>?digest=<digest>`                         |
| end-7a  | `PUT`          | `/v2/<name>/manifests/<tag-or-digest>`                         |
| end-7b  | `PUT`          | `/v2/<name>/manifests/<digest>?tag=1&tag=2&tag=3`              |
| end-8a  | `GET`          | `/v2/<name>/tags/list`                                         |
| end-8b  | `GET`          | `/v2/<name>/tags/list?n=<integer>&last=<tagname>`              |
| end-9   | `DELETE`       | `/v2/<name>/manifests/<tag-or-digest>`                         |
| end-10  | `DELETE`       | `/v2/<name>/blobs/<digest>`                                    |
| end-11  | `POST`         | `/v2/<name>/blobs/uploads/?mount=<digest>&from=<other_name>`   |
| end-12a | `GET`          | `/v2/<name>/referrers/<digest>`                                |
| end-12b | `GET`          | `/v2/<name>/referrers/<digest>?artifactType=<artifactType>`    |
| end-13  | `GET`          | `<blob-push-location>`                                         |
| end-14  | `DELETE`       | `<blob-push-location>`                                         |
"""
OURS = {
    "<tag-or-digest>": "{reference}",
    "<blob-push-location>": "/v2/{name}/blobs/uploads/{session}",
    "<name>": "{name}",
    "<digest>": "{digest}",
}
ACCESS_OF_METHOD = {"HEAD": "pull", "GET": "pull", "DELETE": "maintain"}
# Lists show names, and no content: an auditor may see them.
OWN = {
    "/v2/": "check",
    "/v2/_catalog": "catalog",
    "/v2/{name}/tags/list": "see",
    "/v2/{name}/referrers/{digest}": "see",
}
# Paths under an upload session concern only those who push.
UPLOAD = "/v2/{name}/blobs/uploads/"


def spec_rows() -> list[tuple[str, str, str]]:
    """Id, method and path of every row of the spec, the path in our terms and without a query."""
    rows = []
    for line in SPEC.strip().splitlines():
        identifier, methods, target = (cell.strip() for cell in line.strip("|").split("|"))
        path = target.strip("`").partition("?")[0]
        for theirs, ours in OURS.items():
            path = path.replace(theirs, ours)
        if "digest>?" in target:
            path = path.replace("manifests/{digest}", "manifests/{reference}")
        rows += [(identifier, method, path) for method in re.findall(r"`(\w+)`", methods)]
    return rows


def our_rows() -> list[tuple[str, str, str]]:
    return [
        (identifier, endpoint.method, endpoint.path)
        for endpoint in ENDPOINTS
        for identifier in endpoint.ids.split()
        if identifier.startswith("end-")
    ]


def test_every_endpoint_of_the_spec_is_a_row_and_no_other_bears_its_ids() -> None:
    assert sorted(our_rows()) == sorted(spec_rows())


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_the_access_column_follows_from_method_and_path(row: Endpoint) -> None:
    if not row.path.startswith("/v2/"):
        expected = "open"
    elif row.path in OWN:
        expected = OWN[row.path]
    elif row.path.startswith(UPLOAD) or row.method in ("PUT", "POST", "PATCH"):
        expected = "create"
    else:
        expected = ACCESS_OF_METHOD[row.method]

    assert row.access == expected


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_a_handler_gets_the_request_and_its_handle_and_nothing_else(row: Endpoint) -> None:
    handle = "repository" if "{name}" in row.path else "registry"

    assert list(inspect.signature(row.handler).parameters) == ["request", handle]


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_a_handler_names_the_ids_of_its_rows_first(row: Endpoint) -> None:
    documentation = row.handler.__doc__ or ""

    for identifier in row.ids.split():
        if identifier.startswith("end-"):
            assert identifier in documentation.partition(":")[0]


def test_head_of_a_blob_or_manifest_has_a_handler_of_its_own() -> None:
    router = Router(ENDPOINTS)
    digest = f"sha256:{'0' * 64}"

    for path in (f"/v2/a/blobs/{digest}", f"/v2/a/manifests/{digest}"):
        head, _ = router.match("HEAD", path)
        get, _ = router.match("GET", path)
        assert head.handler is not get.handler


def test_no_module_of_services_or_storage_knows_of_http() -> None:
    package = Path(inspect.getfile(Router)).parent.parent

    for room in ("services", "storage", "auth"):
        for module in (package / room).rglob("*.py"):
            assert "starlette" not in module.read_text(), module
