"""List referrers.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
"""

from starlette.responses import Response

from oci.digest import Digest
from oci.manifest import MAX_MANIFEST_BYTES
from oci.mediatype import OCI_INDEX
from registry.api.requests import MAX_PAGE, RegistryRequest
from registry.api.responses import page
from registry.services.repositories import Repository

# Clients read an index of at most 4 MiB; the index without its entries is below 1 KiB.
MAX_PAGE_BYTES = MAX_MANIFEST_BYTES - 1024


async def list_referrers(request: RegistryRequest, repository: Repository) -> Response:
    """end-12a, end-12b: GET the referrers of a manifest; an empty index if there are none."""
    subject, n, last = request.digest, request.page_size, request.query("last")
    artifact_type = request.query("artifactType")
    if artifact_type is not None:
        # A media type has no spaces: a space is a plus sign that the client did not encode.
        artifact_type = artifact_type.replace(" ", "+")
    size = MAX_PAGE if n is None else n
    found = await repository.referrers.list(
        subject,
        artifact_type=artifact_type,
        last=Digest.parse(last) if last else None,
        n=size,
        max_bytes=MAX_PAGE_BYTES,
    )
    query = {"n": str(size)} | ({"artifactType": artifact_type} if artifact_type else {})
    manifests = [descriptor.to_json() for descriptor in found.items]
    answer = page(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests},
        path=request.path,
        next_query=query | {"last": str(found.items[-1].digest)} if found.more else None,
        media_type=OCI_INDEX,
        headers={"OCI-Filters-Applied": "artifactType"} if artifact_type else None,
    )
    request.hold.add(len(answer.body))
    return answer
