"""List referrers.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
"""

import json
from collections.abc import Sequence

from starlette.responses import Response

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.manifest import MAX_MANIFEST_BYTES
from oci.mediatype import OCI_INDEX
from registry.api.requests import MAX_PAGE, RegistryRequest
from registry.api.responses import page
from registry.services.repositories import Repository

# Clients read an index of at most 4 MiB; what the index itself adds stays below a KiB.
MAX_PAGE_BYTES = MAX_MANIFEST_BYTES - 1024


async def list_referrers(request: RegistryRequest, repository: Repository) -> Response:
    """end-12a, end-12b: GET what refers to a manifest; an empty index if nothing does."""
    subject, n, last = request.digest, request.page_size, request.query("last")
    artifact_type = request.query("artifactType")
    if artifact_type is not None:
        # A media type has no spaces: this one was a plus sign that was not encoded.
        artifact_type = artifact_type.replace(" ", "+")
    size = MAX_PAGE if n is None else n
    found = await repository.referrers.list(
        subject, artifact_type=artifact_type, last=Digest.parse(last) if last else None, n=size
    )
    fitting = _that_fit(found.items)
    query = {"n": str(size)} | ({"artifactType": artifact_type} if artifact_type else {})
    more = size > 0 and (found.more or len(fitting) < len(found.items))
    return page(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": fitting},
        path=request.path,
        next_query=query | {"last": str(found.items[len(fitting) - 1].digest)} if more else None,
        media_type=OCI_INDEX,
        headers={"OCI-Filters-Applied": "artifactType"} if artifact_type else None,
    )


def _that_fit(descriptors: Sequence[Descriptor]) -> list[dict[str, object]]:
    """As many descriptors as one page holds, and at least one."""
    shown: list[dict[str, object]] = []
    total = 0
    for descriptor in descriptors:
        entry = descriptor.to_json()
        total += len(json.dumps(entry, separators=(",", ":"))) + 1
        if shown and total > MAX_PAGE_BYTES:
            break
        shown.append(entry)
    return shown
