"""Media types of manifests, configs and layers, and the sets they form.

https://github.com/opencontainers/image-spec/blob/main/media-types.md
"""

import re
from collections.abc import Mapping
from typing import Literal

OCI_DESCRIPTOR = "application/vnd.oci.descriptor.v1+json"
OCI_LAYOUT = "application/vnd.oci.layout.header.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"

OCI_FOREIGN_TAR = "application/vnd.oci.image.layer.nondistributable.v1.tar"
OCI_FOREIGN_GZIP = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
OCI_FOREIGN_ZSTD = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_TAR = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_LAYER_ZSTD = "application/vnd.docker.image.rootfs.diff.tar.zstd"
DOCKER_FOREIGN_TAR = "application/vnd.docker.image.rootfs.foreign.diff.tar"
DOCKER_FOREIGN_GZIP = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
FOREIGN_LAYERS = frozenset(
    {OCI_FOREIGN_TAR, OCI_FOREIGN_GZIP, OCI_FOREIGN_ZSTD, DOCKER_FOREIGN_TAR, DOCKER_FOREIGN_GZIP}
)
LAYERS = FOREIGN_LAYERS | {
    OCI_LAYER_TAR,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    DOCKER_LAYER_TAR,
    DOCKER_LAYER_GZIP,
    DOCKER_LAYER_ZSTD,
}

Compression = Literal["none", "gzip", "zstd"]

# Media types of written layers, by compression.
OCI_LAYER_TYPES: Mapping[Compression, str] = {
    "none": OCI_LAYER_TAR,
    "gzip": OCI_LAYER_GZIP,
    "zstd": OCI_LAYER_ZSTD,
}

# Two restricted names and a slash.
MAX_LENGTH = 255

# https://www.rfc-editor.org/rfc/rfc6838#section-4.2
_RESTRICTED_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(rf"{_RESTRICTED_NAME}/{_RESTRICTED_NAME}", re.ASCII)


def is_media_type(text: str) -> bool:
    """Whether the text is ``type/subtype`` by RFC 6838, without parameters."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def is_descriptor_type(text: str) -> bool:
    """Whether a descriptor may have this media type: bounded and printable, or empty.

    Configs of 2015 to 2017 have ``text/html`` or no media type, and every other registry
    accepts them.  The bound keeps long texts out of a database index.
    """
    return len(text) <= MAX_LENGTH and text.isprintable()


def without_parameters(content_type: str) -> str:
    """The media type of a Content-Type header.

    >>> without_parameters("text/plain; charset=utf-8")
    'text/plain'
    """
    return content_type.partition(";")[0].strip(" \t")


def compression_of(media_type: str) -> Compression:
    """The compression that a layer's media type declares by its suffix."""
    bare = without_parameters(media_type)
    if bare.endswith(("+gzip", ".gzip")):
        return "gzip"
    if bare.endswith(("+zstd", ".zstd")):
        return "zstd"
    return "none"
