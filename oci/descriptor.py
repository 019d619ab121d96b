"""Descriptor and Platform, and the choice of a manifest by platform.

https://github.com/opencontainers/image-spec/blob/main/descriptor.md
https://github.com/opencontainers/image-spec/blob/main/image-index.md
"""

import base64
import binascii
import platform as host_platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from oci.digest import Digest, InvalidDigest
from oci.document import InvalidDocument
from oci.errors import ErrorCode, OCIError, quoted
from oci.fields import Fields, case_folded
from oci.mediatype import (
    FOREIGN_LAYERS,
    INDEXES,
    MANIFESTS,
    MAX_LENGTH,
    is_descriptor_type,
    is_media_type,
    without_parameters,
)

_ARCHITECTURES: Mapping[str, tuple[str, str]] = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i386": ("386", ""),
    "i686": ("386", ""),
}
_KNOWN_ARCHITECTURES = frozenset(
    {"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle"}
    | {"ppc64", "ppc64le", "riscv64", "s390x", "wasm"}
)
_FIELD_NAMES = case_folded(
    *("mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform"),
)
# The variant implied where none is given.
_DEFAULT_VARIANTS: Mapping[str, str] = {"amd64": "v1", "arm64": "v8", "arm": "v7"}


class InvalidPlatform(OCIError):
    """The text is not ``os/architecture[/variant]``."""

    code = ErrorCode.MANIFEST_INVALID


@dataclass(frozen=True, slots=True)
class Platform:
    """The operating system, architecture and variant that an image was built for.

    >>> str(Platform.parse("linux/arm64/v8"))
    'linux/arm64/v8'
    """

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``os/architecture[/variant]``, or an architecture alone for Linux."""
        parts = text.split("/")
        if len(parts) == 1 and (parts[0] in _KNOWN_ARCHITECTURES or parts[0] in _ARCHITECTURES):
            parts = ["linux", *parts]
        if not 2 <= len(parts) <= 3 or not all(_is_word(part) for part in parts):
            raise InvalidPlatform(
                f"invalid platform {quoted(text)}: expected os/architecture[/variant]"
            )
        architecture, variant = _ARCHITECTURES.get(parts[1], (parts[1], ""))
        return cls(parts[0], architecture, parts[2] if len(parts) == 3 else variant)

    @classmethod
    def host(cls) -> Self:
        """The platform of this machine."""
        machine = host_platform.machine().lower()
        architecture, variant = _ARCHITECTURES.get(machine, (machine, ""))
        return cls(host_platform.system().lower(), architecture, variant)

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read the platform of a descriptor, or of an image config."""
        return cls(
            fields.string("os", ""),
            fields.string("architecture", ""),
            fields.string("variant", ""),
            fields.string("os.version", ""),
            fields.strings("os.features"),
        )

    @property
    def normalized(self) -> Self:
        """The same in Go's names: ``x86_64`` is amd64, ``aarch64`` arm64, and variant ``8`` v8."""
        architecture = self.architecture.lower()
        architecture, variant = _ARCHITECTURES.get(architecture, (architecture, ""))
        variant = self.variant.lower() or variant
        variant = f"v{variant}" if variant.isdecimal() else variant
        return replace(
            self, os=self.os.lower() or "linux", architecture=architecture, variant=variant
        )

    def matches(self, wanted: Self) -> bool:
        """Whether this platform matches ``wanted``; an empty field of either matches anything."""
        offered, wanted = self.normalized, wanted.normalized
        return (
            offered.os == wanted.os
            and offered.architecture in ("", wanted.architecture)
            and (not wanted.variant or offered.variant in ("", wanted.variant))
        )

    def to_json(self) -> dict[str, object]:
        document: dict[str, object] = {"architecture": self.architecture, "os": self.os}
        if self.os_version:
            document["os.version"] = self.os_version
        if self.os_features:
            document["os.features"] = list(self.os_features)
        if self.variant:
            document["variant"] = self.variant
        return document

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """The media type, digest and size in bytes of some content."""

    media_type: str
    digest: Digest
    size: int
    urls: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = None
    artifact_type: str | None = None
    platform: Platform | None = None

    @classmethod
    def from_json(
        cls, document: object, where: str = "descriptor", *, allow_urls: bool = False
    ) -> Self:
        """Read a descriptor, or raise InvalidDocument naming the field by its path.

        A media type may be empty, null or absent: Go programs write their zero value so.
        ``urls`` are never followed.  On anything but a foreign layer they are refused (rule IN-6),
        unless ``allow_urls``: a client that fetches content beside the manifest may ignore them.
        """
        fields = Fields(document, where)
        media_type = _media_type(fields)
        try:
            digest = Digest.parse(fields.string("digest"))
        except InvalidDigest as error:
            raise InvalidDocument(f"{where}.digest: {error}") from None
        size = fields.integer("size")
        if len(fields) == 3:  # Most descriptors have no other field.
            return cls(media_type, digest, size)
        fields.refuse_lookalikes(_FIELD_NAMES)
        urls = fields.strings("urls")
        if urls and not allow_urls and without_parameters(media_type) not in FOREIGN_LAYERS:
            raise InvalidDocument(
                f"{where}.urls: found on {media_type}, expected on foreign layers only"
            )
        artifact_type = fields.optional_string("artifactType")
        platform = fields.nested("platform")
        return cls(
            media_type,
            digest,
            size,
            urls,
            fields.string_map("annotations"),
            _data(fields),
            _artifact_type(fields, artifact_type) if artifact_type else None,
            None if platform is None else Platform.from_fields(platform),
        )

    def to_json(self) -> dict[str, object]:
        document: dict[str, object] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.urls:
            document["urls"] = list(self.urls)
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        if self.data is not None:
            document["data"] = base64.b64encode(self.data).decode()
        if self.artifact_type is not None:
            document["artifactType"] = self.artifact_type
        if self.platform is not None:
            document["platform"] = self.platform.to_json()
        return document

    @property
    def is_foreign(self) -> bool:
        """Whether this is a foreign layer, distributed by its publisher and not by registries."""
        return without_parameters(self.media_type) in FOREIGN_LAYERS


def choose(descriptors: Iterable[Descriptor], platform: Platform) -> Descriptor | None:
    """The manifest that matches a platform best, or None if none matches.

    The order is containerd's: the exact variant, then the older ones the machine also
    runs, then its 32-bit form, then manifests that name no platform; among equals the first.
    """
    best: tuple[int, Descriptor] | None = None
    wanted = _runnable(platform)
    for descriptor in descriptors:
        media_type = without_parameters(descriptor.media_type)
        if media_type not in MANIFESTS and media_type not in INDEXES:
            continue
        rank = _rank(descriptor.platform, platform.os, wanted)
        if rank is not None and (best is None or rank < best[0]):
            best = (rank, descriptor)
    return None if best is None else best[1]


def _rank(offered: Platform | None, os: str, wanted: list[tuple[str, str]]) -> int | None:
    if offered is None or not offered.architecture:
        return len(wanted)
    offered = offered.normalized
    variant = offered.variant or _DEFAULT_VARIANTS.get(offered.architecture, "")
    key = (offered.architecture, variant)
    return wanted.index(key) if offered.os == os and key in wanted else None


def _runnable(platform: Platform) -> list[tuple[str, str]]:
    architecture = platform.architecture
    variant = platform.variant or _DEFAULT_VARIANTS.get(architecture, "")
    older = [(architecture, name) for name in _compatible_variants(variant)]
    if architecture == "amd64":
        return [*older, ("386", "")]
    if architecture == "arm64":
        # Match without the minor version too: a v8.2 CPU runs v8 code.
        base = [("arm64", "v8")] if ("arm64", "v8") not in older else []
        return [*older, *base, *(("arm", f"v{number}") for number in (8, 7, 6, 5))]
    return older


def _compatible_variants(variant: str) -> list[str]:
    number = variant.removeprefix("v")
    if variant != number and number.isdecimal() and number.isascii() and len(number) == 1:
        return [f"v{older}" for older in range(int(number), 0, -1)]
    return [variant]


def _data(fields: Fields) -> bytes | None:
    text = fields.optional_string("data")
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidDocument(
            f"{fields.path('data')}: expected base64, found {quoted(text)}"
        ) from None


def _media_type(fields: Fields) -> str:
    text = fields.string("mediaType", "")
    if not is_descriptor_type(text):
        raise InvalidDocument(
            f"{fields.path('mediaType')}: found {quoted(text)}, "
            f"expected at most {MAX_LENGTH} printable characters"
        )
    return text


def _artifact_type(fields: Fields, text: str) -> str:
    if not is_media_type(text):
        raise InvalidDocument(
            f"{fields.path('artifactType')}: found {quoted(text)}, expected type/subtype"
        )
    return text


def _is_word(text: str) -> bool:
    return (
        0 < len(text) <= 64
        and text.isascii()
        and text.replace("_", "").replace("-", "").replace(".", "").isalnum()
    )
