"""Images for tests: real bytes with real digests."""

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oci.descriptor import Descriptor, Platform
from oci.digest import Digest
from oci.encoding import encode_image_config, image_index, image_manifest
from oci.image_config import ImageConfig
from oci.mediatype import (
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_LAYER_TAR,
    OCI_MANIFEST,
)

AMD64 = Platform("linux", "amd64")
BUSYBOX = Path("/bin/busybox")
PATH_ENV = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_APPLETS = (
    *("sh", "true", "false", "echo", "cat", "ls", "sleep", "env", "id", "pwd", "mount", "touch"),
    *("rm", "mkdir", "ps", "kill", "hostname", "stat", "head", "tail", "seq", "yes", "dd", "wc"),
    *("grep", "sed", "stty", "tty", "test", "printf", "uname", "readlink", "ln", "chmod", "chown"),
    *("cut", "tr", "sort", "find", "mknod", "ip", "ping", "httpd", "nc", "wget", "date", "time"),
)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: the tar, and the blob it travels as."""

    tar: bytes
    blob: bytes
    descriptor: Descriptor

    @property
    def diff_id(self) -> Digest:
        return Digest.of(self.tar)


@dataclass(frozen=True, slots=True)
class Image:
    """One image, with everything needed to push it."""

    manifest: bytes
    media_type: str
    config: bytes
    layers: tuple[Layer, ...]
    digest: Digest = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", Digest.of(self.manifest))

    @property
    def blobs(self) -> Mapping[Digest, bytes]:
        """Config and layers, by digest."""
        blobs = {layer.descriptor.digest: layer.blob for layer in self.layers}
        return {Digest.of(self.config): self.config, **blobs}

    @property
    def image_config(self) -> ImageConfig:
        return ImageConfig.parse(self.config)

    @property
    def descriptor(self) -> Descriptor:
        platform = self.image_config.platform
        return Descriptor(self.media_type, self.digest, len(self.manifest), platform=platform)


@dataclass(frozen=True, slots=True)
class Index:
    """An index over some images."""

    manifest: bytes
    media_type: str
    images: tuple[Image, ...]

    @property
    def digest(self) -> Digest:
        return Digest.of(self.manifest)


def a_tar(files: Mapping[str, bytes | str | tarfile.TarInfo]) -> bytes:
    """A tar archive.  Bytes are a file, text a symbolic link, a name ending in / a directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            entry = tarfile.TarInfo(name.rstrip("/"))
            entry.mtime = 1_700_000_000
            entry.mode = 0o755
            if name.endswith("/"):
                entry.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
            else:
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
    return buffer.getvalue()


def a_layer(
    files: Mapping[str, bytes | str | tarfile.TarInfo], media_type: str = OCI_LAYER_GZIP
) -> Layer:
    """A layer with these files; compressed if its media type says so."""
    tar = a_tar(files)
    compressed = media_type != OCI_LAYER_TAR
    blob = gzip.compress(tar, compresslevel=1, mtime=0) if compressed else tar
    return Layer(tar, blob, Descriptor(media_type, Digest.of(blob), len(blob)))


def an_image(
    layers: int | Sequence[Layer] = 1,
    *,
    docker: bool = False,
    platform: Platform = AMD64,
    seed: str = "",
    env: Sequence[str] = (PATH_ENV,),
    entrypoint: Sequence[str] = (),
    cmd: Sequence[str] = ("/bin/true",),
    user: str = "",
    working_dir: str = "",
    labels: Mapping[str, str] | None = None,
    volumes: Sequence[str] = (),
    stop_signal: str = "",
    subject: Descriptor | None = None,
    artifact_type: str | None = None,
    annotations: Mapping[str, str] | None = None,
    created: str = "2026-01-01T00:00:00Z",
) -> Image:
    """An image.  ``seed`` makes its bytes differ from those of another."""
    if isinstance(layers, int):
        kind = DOCKER_LAYER_GZIP if docker else OCI_LAYER_GZIP
        layers = [a_layer({f"layer-{n}": f"{seed}{n}".encode()}, kind) for n in range(layers)]
    config = encode_image_config(
        platform,
        [layer.diff_id for layer in layers],
        created=created,
        author=seed,
        env=env,
        entrypoint=entrypoint,
        cmd=cmd,
        user=user,
        working_dir=working_dir,
        labels=labels,
        volumes=volumes,
        stop_signal=stop_signal,
    )
    config_type = DOCKER_CONFIG if docker else OCI_CONFIG
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    manifest = image_manifest(
        Descriptor(config_type, Digest.of(config), len(config)),
        [layer.descriptor for layer in layers],
        media_type=media_type,
        subject=subject,
        artifact_type=artifact_type,
        annotations=annotations,
    )
    return Image(manifest, media_type, config, tuple(layers))


def an_index(
    *images: Image,
    docker: bool = False,
    subject: Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Index:
    """An index over these images; without any, over one for amd64 and one for arm64."""
    images = images or (
        an_image(docker=docker, seed="amd64"),
        an_image(docker=docker, seed="arm64", platform=Platform("linux", "arm64", "v8")),
    )
    media_type = DOCKER_LIST if docker else OCI_INDEX
    manifest = image_index(
        [image.descriptor for image in images],
        media_type=media_type,
        subject=subject,
        annotations=annotations,
    )
    return Index(manifest, media_type, images)


def a_busybox_layer(extra: Mapping[str, bytes | str] | None = None) -> Layer:
    """A rootfs that runs: the machine's static busybox, its applets, passwd and group."""
    files: dict[str, bytes | str | tarfile.TarInfo] = dict.fromkeys(
        ("bin/", "etc/", "proc/", "sys/", "dev/", "root/", "tmp/", "home/"), b""
    )
    files["bin/busybox"] = BUSYBOX.read_bytes()
    files |= {f"bin/{applet}": "busybox" for applet in _APPLETS}
    files["etc/passwd"] = b"root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home:/bin/sh\n"
    files["etc/group"] = b"root:x:0:\nalice:x:1000:\nstaff:x:50:alice\n"
    files.update(extra or {})
    return a_layer(files)


def a_busybox_image(
    extra: Mapping[str, bytes | str] | None = None,
    *,
    entrypoint: Sequence[str] = (),
    cmd: Sequence[str] = ("sh",),
    user: str = "",
    working_dir: str = "",
    volumes: Sequence[str] = (),
    stop_signal: str = "",
) -> Image:
    """An image whose containers run."""
    return an_image(
        [a_busybox_layer(extra)],
        entrypoint=entrypoint,
        cmd=cmd,
        user=user,
        working_dir=working_dir,
        volumes=volumes,
        stop_signal=stop_signal,
    )
