"""Load images from an archive: an OCI layout, docker's format, or both.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
https://github.com/moby/moby/blob/master/image/spec/spec.md
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oci.descriptor import Descriptor, Platform, choose
from oci.digest import Digest
from oci.errors import OCIError
from oci.image_config import ImageConfig, ImageConfigInvalid
from oci.manifest import MAX_INDEX_DEPTH, ImageIndex, ImageManifest, parse_manifest
from oci.mediatype import CONFIGS, OCI_LAYER_TYPES, compression_of, without_parameters
from runner.errors import BadRequest
from runner.schema import ProgressEvent
from runner.services.images.archives.files import (
    NAME_ANNOTATION,
    TAG_ANNOTATION,
    ArchiveFiles,
    blob_name,
)
from runner.services.images.image import Image
from runner.services.images.ingest import LocalImage, ingest_image
from runner.services.images.layers.files import (
    FileRange,
    LayerFile,
    decompress_in_place,
    measure_layer,
    spool,
)
from runner.services.images.search import parse_tag_reference
from runner.services.images.store import ImageStore
from runner.tasks.threads import in_thread

MAX_IMAGES = 1000

Report = Callable[[ProgressEvent], None]


class Loader:
    """Loads images from archives.

    As in docker, images keep their names; moving a name from another image is reported with
    that image's ID.
    """

    def __init__(self, store: ImageStore, scratch: Path) -> None:
        self._store = store
        self._scratch = scratch

    async def load(self, archive: AsyncIterator[bytes], report: Report) -> tuple[Image, ...]:
        """Load every image, each verified before it is named; BadRequest for an invalid one."""
        async with spool(archive, self._scratch) as path:
            await in_thread(decompress_in_place, path, every=True)
            files = await in_thread(ArchiveFiles.read, path)
            try:
                return await self._load(files, path, report)
            except OCIError as error:
                raise BadRequest(f"archive: {error}") from error

    async def _load(self, files: ArchiveFiles, path: Path, report: Report) -> tuple[Image, ...]:
        items = docker_items(files)
        images = []
        for local, names in layout_images(files):
            # If both documents name an image, docker's takes precedence.
            item = items.pop(local.config.image_id, None)
            images.append(await self._ingest(local, item.names if item else names, report))
        for item in items.values():
            with ExitStack() as stack:
                layers = []
                for number, name in enumerate(item.layers):
                    temporary = path.with_name(f"{path.name}.{number}")
                    stack.callback(temporary.unlink, missing_ok=True)
                    found = files.find(name)
                    layers.append(
                        await in_thread(measure_layer, found, temporary)
                        if found
                        else self._known_layer(item, number)
                    )
                local = LocalImage.assemble(item.config, layers)
                images.append(await self._ingest(local, item.names, report))
        if not images:
            raise BadRequest("archive holds no image: expected index.json or manifest.json")
        return tuple(images)

    def _known_layer(self, item: "DockerItem", number: int) -> LayerFile:
        """A layer missing from the archive, as docker allows, that is already here."""
        diff_ids = ImageConfig.parse(item.config).diff_ids
        diff_id = diff_ids[number] if number < len(diff_ids) else None
        blob = _stored_blob(self._store, diff_id) if diff_id else None
        if blob is None or diff_id is None:
            raise BadRequest(
                f"archive has no file {item.layers[number]!r}, and its layer "
                f"{diff_id or number + 1} is not here"
            )
        return LayerFile(blob, diff_id, FileRange.whole(self._store.content.path(blob.digest)))

    async def _ingest(self, local: LocalImage, names: Sequence[str], report: Report) -> Image:
        references = [parse_tag_reference(self._store, name) for name in names]
        before = [self._store.records.get(str(reference)) for reference in references]
        image = await ingest_image(self._store, local, [str(each) for each in references], report)
        for reference, old in zip(references, before, strict=True):
            familiar = reference.familiar(self._store.default_registry)
            if old is not None and old.image_id != image.id:
                moved = (
                    f"The image {familiar} already exists, "
                    f"renaming the old one with ID {old.image_id} to empty string\n"
                )
                report(ProgressEvent(stream=moved))
            report(ProgressEvent(stream=f"Loaded image: {familiar}\n"))
        if not references:
            report(ProgressEvent(stream=f"Loaded image ID: {image.id}\n"))
        return image


def _stored_blob(store: ImageStore, diff_id: Digest) -> Descriptor | None:
    """A stored blob of the layer, by any image's manifest."""
    for image in store.records.images():
        for known, blob in image.layers:
            if known == diff_id and store.content.has(blob.digest):
                media_type = OCI_LAYER_TYPES[compression_of(blob.media_type)]
                return Descriptor(media_type, blob.digest, blob.size)
    return None


@dataclass(frozen=True, slots=True)
class DockerItem:
    """One entry of manifest.json: a config's bytes, names, and the names of its layers' files."""

    config: bytes
    names: tuple[str, ...]
    layers: tuple[str, ...]


def docker_items(files: ArchiveFiles) -> dict[Digest, DockerItem]:
    """The entries of manifest.json by image ID; empty without the file."""
    if files.find("manifest.json") is None:
        return {}
    document = files.json("manifest.json")
    if not isinstance(document, list) or len(document) > MAX_IMAGES:
        raise BadRequest(f"manifest.json: expected an array of at most {MAX_IMAGES} images")
    items = {}
    for entry in document:
        if not isinstance(entry, dict) or not isinstance(name := entry.get("Config"), str):
            raise BadRequest("manifest.json: expected objects with a Config")
        config = files.document(name)
        image_id = ImageConfig.parse(config).image_id
        layers = _strings(entry, "Layers")
        items[image_id] = DockerItem(config, _strings(entry, "RepoTags"), layers)
    return items


def layout_images(files: ArchiveFiles) -> list[tuple[LocalImage, tuple[str, ...]]]:
    """The images in index.json, each once with all its names; empty without the file."""
    if files.find("index.json") is None:
        return []
    found: dict[Digest, tuple[LocalImage, tuple[str, ...]]] = {}
    index = parse_manifest(files.document("index.json"), None)
    if not isinstance(index, ImageIndex) or len(index.manifests) > MAX_IMAGES:
        raise BadRequest(f"index.json: expected an index of at most {MAX_IMAGES} manifests")
    for descriptor in index.manifests:
        local = _from_layout(files, descriptor)
        if local is not None:
            _, names = found.get(local.manifest_digest, (local, ()))
            more = tuple(name for name in _annotated_names(descriptor) if name not in names)
            found[local.manifest_digest] = (local, (*names, *more))
    return list(found.values())


def _from_layout(files: ArchiveFiles, descriptor: Descriptor) -> LocalImage | None:
    """The image of a descriptor; None if it is not an image, such as a signature."""
    for _ in range(MAX_INDEX_DEPTH):
        document = parse_manifest(
            files.blob(descriptor.digest), descriptor.media_type, allow_urls=True
        )
        if isinstance(document, ImageManifest):
            return _local_image(files, document, descriptor.digest)
        here = [each for each in document.manifests if files.find(blob_name(each.digest))]
        chosen = choose(here, Platform.host())
        if chosen is None:
            raise BadRequest(f"archive holds no image for {Platform.host()}")
        descriptor = chosen
    raise BadRequest(f"index.json: indexes in indexes, more than {MAX_INDEX_DEPTH} deep")


def _local_image(files: ArchiveFiles, manifest: ImageManifest, digest: Digest) -> LocalImage | None:
    try:
        config = ImageConfig.parse(files.blob(manifest.config.digest))
    except ImageConfigInvalid:
        if without_parameters(manifest.config.media_type) in CONFIGS:
            raise
        return None
    if len(config.diff_ids) != len(manifest.layers):
        raise BadRequest(
            f"{digest}: {len(manifest.layers)} layers, but {len(config.diff_ids)} diff_ids"
        )
    layers = tuple(
        LayerFile(layer, diff_id, _layer(files, layer))
        for diff_id, layer in zip(config.diff_ids, manifest.layers, strict=True)
    )
    return LocalImage(manifest, digest, config, layers)


def _layer(files: ArchiveFiles, layer: Descriptor) -> FileRange:
    found = files.get(blob_name(layer.digest))
    if found.size != layer.size:
        raise BadRequest(f"blob {layer.digest} has {found.size} bytes, expected {layer.size}")
    return found


def _annotated_names(descriptor: Descriptor) -> tuple[str, ...]:
    """The name an index gives an image: containerd's annotation, or a ref.name with a tag in it.

    The spec's ref.name may be a bare tag, which names nothing by itself.
    """
    name = descriptor.annotations.get(NAME_ANNOTATION)
    ref_name = descriptor.annotations.get(TAG_ANNOTATION, "")
    if name is None and ":" in ref_name:
        name = ref_name
    return (name,) if name else ()


def _strings(entry: dict[str, Any], key: str) -> tuple[str, ...]:
    value = entry.get(key) or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadRequest(f"manifest.json: {key}: expected an array of strings")
    return tuple(value)
