"""ingest_image: store an image from local files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.encoding import image_manifest
from oci.errors import OCIError
from oci.image_config import ImageConfig
from oci.manifest import ImageManifest, parse_manifest
from oci.mediatype import OCI_CONFIG
from runner.errors import BadRequest
from runner.schema import ProgressEvent
from runner.services.images.image import Image
from runner.services.images.layers.download import LayerDownload
from runner.services.images.layers.files import LayerFile
from runner.services.images.progress import LOADING
from runner.services.images.store import ImageStore
from runner.storage.content.contract import put_document
from runner.storage.snapshots.stack import check_count, lower_directories
from runner.tasks.run_all import run_all


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image in local files: manifest, config, and a file per layer, lowest first."""

    manifest: ImageManifest
    manifest_digest: Digest
    config: ImageConfig
    layers: tuple[LayerFile, ...]

    @classmethod
    def assemble(cls, config: bytes, layers: Sequence[LayerFile]) -> "LocalImage":
        """Build an image, with a new manifest, from a config and layers."""
        parsed = ImageConfig.parse(config)
        descriptor = Descriptor(OCI_CONFIG, parsed.image_id, len(config))
        content = image_manifest(descriptor, [layer.descriptor for layer in layers])
        manifest = parse_manifest(content, None)
        assert isinstance(manifest, ImageManifest)
        return cls(manifest, Digest.of(content), parsed, tuple(layers))

    @property
    def target(self) -> Descriptor:
        size = len(self.manifest.content)
        return Descriptor(self.manifest.media_type, self.manifest_digest, size)


async def ingest_image(
    store: ImageStore,
    image: LocalImage,
    references: Sequence[str],
    report: Callable[[ProgressEvent], None],
) -> Image:
    """Store and unpack every part, verified, then set the references to the image.

    BadRequest if a part does not match its digest; then no image is recorded.
    """
    diff_ids, blobs = image.config.diff_ids, image.manifest.all_blobs
    if len(diff_ids) != len(image.layers):
        raise BadRequest(f"{len(image.layers)} layers, but {len(diff_ids)} diff_ids in the config")
    layers = {
        (diff_id, layer.descriptor.digest): LayerDownload(
            store, diff_id, layer.descriptor, layer.content.stream, report, labels=LOADING
        )
        for diff_id, layer in zip(diff_ids, image.layers, strict=True)
    }
    try:
        check_count(len(diff_ids))
        with store.protection.hold(
            {image.manifest_digest, *diff_ids, *(blob.digest for blob in blobs)}
        ):
            await run_all(download.run(store.local_slots) for download in layers.values())
            # Refuse layers that cannot be stacked now, not at a container's start.
            await lower_directories(store.layers, diff_ids)
            await put_document(store.content, image.manifest_digest, image.manifest.content)
            await put_document(store.content, image.manifest.config.digest, image.config.content)
            image_id = image.config.image_id
            await store.records.point(references, image.target, image.manifest_digest, image_id)
    except OCIError as error:
        raise BadRequest(f"archive: {error}") from error
    found = store.records.find(image_id)
    assert found is not None
    return found
