"""ImageConfig: process defaults, history, diff IDs.

https://github.com/opencontainers/image-spec/blob/main/config.md
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from oci.descriptor import Platform
from oci.digest import Digest, InvalidDigest
from oci.document import InvalidDocument, parse_document
from oci.errors import ErrorCode, OCIError, quoted
from oci.fields import Fields

MAX_CONFIG_BYTES = 4 * 1024 * 1024
MAX_DIFF_IDS = 10_000


class ImageConfigInvalid(OCIError):
    """The content is not a valid image config."""

    code = ErrorCode.MANIFEST_INVALID


@dataclass(frozen=True, slots=True)
class History:
    """One build step: the origin of a layer, or a step that made no layer."""

    created: str | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False

    def to_json(self) -> dict[str, object]:
        document: dict[str, object] = {
            "created": self.created,
            "created_by": self.created_by,
            "author": self.author,
            "comment": self.comment,
            "empty_layer": self.empty_layer,
        }
        return {name: value for name, value in document.items() if value}


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """A health check's command and schedule; durations in nanoseconds, 0 for the default."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0

    def to_json(self) -> dict[str, object]:
        document: dict[str, object] = {
            "Test": list(self.test),
            "Interval": self.interval,
            "Timeout": self.timeout,
            "StartPeriod": self.start_period,
            "StartInterval": self.start_interval,
            "Retries": self.retries,
        }
        return {name: value for name, value in document.items() if value}


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """An image's platform, process defaults, history, and the diff IDs of its rootfs."""

    content: bytes
    platform: Platform
    created: str | None = None
    author: str = ""
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    shell: tuple[str, ...] = ()
    healthcheck: Healthcheck | None = None
    diff_ids: tuple[Digest, ...] = ()
    history: tuple[History, ...] = ()

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read a config from its exact bytes, or raise ImageConfigInvalid.

        An absent or null field has Go's zero value, as in the programs that write configs.
        An absent ``os`` means Linux, an absent ``architecture`` matches any.
        """
        if len(content) > MAX_CONFIG_BYTES:
            raise ImageConfigInvalid(
                f"image config has {len(content)} bytes, expected at most {MAX_CONFIG_BYTES}"
            )
        try:
            return cls._read(content, Fields(parse_document(content)))
        except InvalidDocument as error:
            raise ImageConfigInvalid(f"invalid image config: {error}") from None

    @classmethod
    def _read(cls, content: bytes, fields: Fields) -> Self:
        process = fields.nested("config") or Fields({}, "config")
        platform = Platform.from_fields(fields)
        return cls(
            content=content,
            # Old images, all for Linux, have no os.
            platform=platform if platform.os else replace(platform, os="linux"),
            created=fields.optional_string("created"),
            author=fields.string("author", ""),
            env=process.strings("Env"),
            entrypoint=process.string_or_strings("Entrypoint"),
            cmd=process.string_or_strings("Cmd"),
            user=process.string("User", ""),
            working_dir=process.string("WorkingDir", ""),
            labels=process.string_map("Labels"),
            exposed_ports=process.names("ExposedPorts"),
            volumes=process.names("Volumes"),
            stop_signal=process.string("StopSignal", ""),
            shell=process.string_or_strings("Shell"),
            healthcheck=_healthcheck(process.nested("Healthcheck")),
            diff_ids=_diff_ids(fields.nested("rootfs")),
            history=_history(fields),
        )

    @property
    def image_id(self) -> Digest:
        """The image ID: the digest of the config."""
        return Digest.of(self.content)


def _diff_ids(rootfs: Fields | None) -> tuple[Digest, ...]:
    if rootfs is None:
        raise InvalidDocument("rootfs: found nothing, expected an object")
    kind = rootfs.string("type", "")
    if kind not in ("", "layers"):
        raise InvalidDocument(f"rootfs.type: found {quoted(kind)}, expected 'layers'")
    texts = rootfs.strings("diff_ids")
    if len(texts) > MAX_DIFF_IDS:
        raise InvalidDocument(
            f"rootfs.diff_ids: found {len(texts)}, expected at most {MAX_DIFF_IDS}"
        )
    try:
        return tuple(Digest.parse(text) for text in texts)
    except InvalidDigest as error:
        raise InvalidDocument(f"rootfs.diff_ids: {error}") from None


def _history(fields: Fields) -> tuple[History, ...]:
    entries = [
        Fields({} if value is None else value, f"history[{index}]")
        for index, value in enumerate(fields.array("history"))
    ]
    return tuple(
        History(
            entry.optional_string("created"),
            entry.string("created_by", ""),
            entry.string("author", ""),
            entry.string("comment", ""),
            entry.boolean("empty_layer"),
        )
        for entry in entries
    )


def _healthcheck(fields: Fields | None) -> Healthcheck | None:
    if fields is None:
        return None
    numbers = {
        name: fields.integer(name, 0)
        for name in ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
    }
    return Healthcheck(
        fields.strings("Test"),
        numbers["Interval"],
        numbers["Timeout"],
        numbers["StartPeriod"],
        numbers["StartInterval"],
        numbers["Retries"],
    )
