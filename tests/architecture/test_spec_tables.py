"""Our tables beside the specifications' own, copied here as data."""

from oci import mediatype
from oci.errors import ErrorCode

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
ERROR_CODES = """
| code-1  | `BLOB_UNKNOWN`          | blob unknown to registry                                   |
| code-2  | `BLOB_UPLOAD_INVALID`   | blob upload invalid                                        |
| code-3  | `BLOB_UPLOAD_UNKNOWN`   | blob upload unknown to registry                            |
| code-4  | `DIGEST_INVALID`        | provided digest did not match uploaded content             |
| code-5  | `MANIFEST_BLOB_UNKNOWN` | manifest references a manifest or blob unknown to registry |
| code-6  | `MANIFEST_INVALID`      | manifest invalid                                           |
| code-7  | `MANIFEST_UNKNOWN`      | manifest unknown to registry                               |
| code-8  | `NAME_INVALID`          | invalid repository name                                    |
| code-9  | `NAME_UNKNOWN`          | repository name not known to registry                      |
| code-10 | `SIZE_INVALID`          | provided length did not match content length               |
| code-11 | `UNAUTHORIZED`          | authentication required                                    |
| code-12 | `DENIED`                | requested access to the resource is denied                 |
| code-13 | `UNSUPPORTED`           | the operation is unsupported                               |
| code-14 | `TOOMANYREQUESTS`       | too many requests                                          |
"""

# The failure column of the specification's endpoint table, for the codes an endpoint answers
# with; https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints
STATUSES = {
    404: {"BLOB_UNKNOWN", "BLOB_UPLOAD_UNKNOWN", "MANIFEST_UNKNOWN", "NAME_UNKNOWN"}
    | {"MANIFEST_BLOB_UNKNOWN"},
    400: {"BLOB_UPLOAD_INVALID", "DIGEST_INVALID", "MANIFEST_INVALID", "NAME_INVALID"}
    | {"SIZE_INVALID"},
    401: {"UNAUTHORIZED"},
    403: {"DENIED"},
    405: {"UNSUPPORTED"},
    429: {"TOOMANYREQUESTS"},
}

# https://github.com/opencontainers/image-spec/blob/main/media-types.md
MEDIA_TYPES = """
application/vnd.oci.descriptor.v1+json
application/vnd.oci.layout.header.v1+json
application/vnd.oci.image.index.v1+json
application/vnd.oci.image.manifest.v1+json
application/vnd.oci.image.config.v1+json
application/vnd.oci.image.layer.v1.tar
application/vnd.oci.image.layer.v1.tar+gzip
application/vnd.oci.image.layer.v1.tar+zstd
application/vnd.oci.empty.v1+json
application/vnd.oci.image.layer.nondistributable.v1.tar
application/vnd.oci.image.layer.nondistributable.v1.tar+gzip
application/vnd.oci.image.layer.nondistributable.v1.tar+zstd
"""


def test_the_error_codes_are_the_specs_in_its_order() -> None:
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")][1:]
        for line in ERROR_CODES.strip().splitlines()
    ]

    assert [[code.name, code.message] for code in ErrorCode] == rows


def test_every_code_has_the_status_of_its_endpoints() -> None:
    expected = {name: status for status, names in STATUSES.items() for name in names}

    assert {code.name: int(code.status) for code in ErrorCode} == expected


def test_the_oci_media_types_are_the_specs() -> None:
    ours = {
        value
        for name, value in vars(mediatype).items()
        if name.startswith("OCI_") and isinstance(value, str)
    }

    assert ours == set(MEDIA_TYPES.split())
