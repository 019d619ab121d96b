"""Every endpoint: spec id, method, path, access, handler.

The ids are those of the distribution spec's main branch after v1.1.1:
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints
"""

import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response

from registry.api.distribution.blobs import check_blob, delete_blob, pull_blob
from registry.api.distribution.catalog import list_repositories
from registry.api.distribution.manifests import (
    check_manifest,
    delete_manifest,
    pull_manifest,
    push_manifest,
)
from registry.api.distribution.referrers import list_referrers
from registry.api.distribution.tags import list_tags
from registry.api.distribution.uploads import (
    append_to_upload,
    cancel_upload,
    check_upload,
    complete_upload,
    start_upload,
)
from registry.api.health import check_alive, check_ready, check_support
from registry.api.token import get_token, post_token
from registry.auth.roles import Access

Handler = Callable[..., Awaitable[Response]]
"""Called with the request, and a Repository if the path has a name, else the Registry."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row: method and path, the access that a caller needs, and the handler."""

    ids: str
    method: str
    path: str
    access: Access
    handler: Handler

    def __post_init__(self) -> None:
        if self.access not in typing.get_args(Access):
            raise ValueError(f"{self.method} {self.path}: {self.access!r} is not an access")


ENDPOINTS = (
    Endpoint("end-1", "GET", "/v2/", "check", check_support),
    Endpoint("end-2", "HEAD", "/v2/{name}/blobs/{digest}", "pull", check_blob),
    Endpoint("end-2", "GET", "/v2/{name}/blobs/{digest}", "pull", pull_blob),
    Endpoint("end-3", "HEAD", "/v2/{name}/manifests/{reference}", "pull", check_manifest),
    Endpoint("end-3", "GET", "/v2/{name}/manifests/{reference}", "pull", pull_manifest),
    Endpoint(
        "end-4a end-4b end-4c end-11", "POST", "/v2/{name}/blobs/uploads/", "create", start_upload
    ),
    Endpoint("end-5", "PATCH", "/v2/{name}/blobs/uploads/{session}", "create", append_to_upload),
    Endpoint("end-6", "PUT", "/v2/{name}/blobs/uploads/{session}", "create", complete_upload),
    Endpoint("end-7a end-7b", "PUT", "/v2/{name}/manifests/{reference}", "create", push_manifest),
    Endpoint("end-8a end-8b", "GET", "/v2/{name}/tags/list", "see", list_tags),
    Endpoint("end-9", "DELETE", "/v2/{name}/manifests/{reference}", "maintain", delete_manifest),
    Endpoint("end-10", "DELETE", "/v2/{name}/blobs/{digest}", "maintain", delete_blob),
    Endpoint("end-12a end-12b", "GET", "/v2/{name}/referrers/{digest}", "see", list_referrers),
    Endpoint("end-13", "GET", "/v2/{name}/blobs/uploads/{session}", "create", check_upload),
    Endpoint("end-14", "DELETE", "/v2/{name}/blobs/uploads/{session}", "create", cancel_upload),
    Endpoint("catalog", "GET", "/v2/_catalog", "catalog", list_repositories),
    Endpoint("token", "GET", "/token", "open", get_token),
    Endpoint("token", "POST", "/token", "open", post_token),
    Endpoint("health", "GET", "/healthz", "open", check_alive),
    Endpoint("health", "GET", "/readyz", "open", check_ready),
)
