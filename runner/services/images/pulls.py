"""Pull: resolve, choose a platform, fetch and unpack the layers in parallel, record the image.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from oci.descriptor import Descriptor, Platform, choose
from oci.digest import Digest, DigestMismatch
from oci.errors import OCIError
from oci.image_config import MAX_CONFIG_BYTES, ImageConfig, ImageConfigInvalid
from oci.manifest import MAX_INDEX_DEPTH, ImageIndex, ImageManifest
from oci.mediatype import CONFIGS, LAYERS, without_parameters
from oci.reference import Reference, Tag
from runner.credentials import Credentials
from runner.errors import NotFound
from runner.remote.contract import Registries, RegistryRepository, RemoteManifest
from runner.remote.errors import RemoteUntrusted
from runner.schema import ProgressEvent
from runner.services.images.image import Image
from runner.services.images.layers.download import LayerDownload
from runner.services.images.progress import reminders
from runner.services.images.store import ImageStore
from runner.storage.content.contract import put_document
from runner.storage.snapshots.stack import check_count, lower_directories
from runner.tasks.run_all import run_all


@dataclass(frozen=True, slots=True)
class Resolved:
    """A resolved reference; ``documents`` are the indexes from the top down, and the manifest."""

    target: Descriptor
    manifest: ImageManifest
    config: ImageConfig
    documents: tuple[RemoteManifest, ...]


class Puller:
    """Pulls images; downloads at most ``parallel`` layers at once, over all pulls."""

    def __init__(self, store: ImageStore, registries: Registries, parallel: int) -> None:
        self._store = store
        self._registries = registries
        self._slots = asyncio.Semaphore(parallel)

    async def pull(
        self,
        reference: Reference,
        platform: Platform | None,
        credentials: Credentials | None,
        progress: Callable[[ProgressEvent], None],
    ) -> Image:
        """Fetch everything, then set the reference; an interrupted pull changes no name."""
        repository = self._registries.repository(reference.host, reference.name, credentials)
        try:
            return await self._pull(repository, reference, platform, progress)
        except OCIError as error:
            raise RemoteUntrusted(f"{repository}: {error}") from error

    async def tags(self, reference: Reference, credentials: Credentials | None) -> tuple[Tag, ...]:
        """Every tag of the repository that the reference names."""
        repository = self._registries.repository(reference.host, reference.name, credentials)
        return await repository.fetch_tags()

    async def _pull(
        self,
        repository: RegistryRepository,
        reference: Reference,
        platform: Platform | None,
        progress: Callable[[ProgressEvent], None],
    ) -> Image:
        named = str(reference.digest or reference.tag)
        progress(ProgressEvent(f"Pulling from {reference.name}", id=named))
        before = self._store.records.get(str(reference))
        async with reminders(progress, f"Waiting for {reference.host}"):
            found = await resolve(repository, reference, platform)
        blobs = {blob.digest for blob in found.manifest.all_blobs}
        kept = {document.descriptor.digest for document in found.documents}
        with self._store.protection.hold({*blobs, *kept, *found.config.diff_ids}):
            await self._pull_layers(repository, found, progress)
            # Refuse layers that cannot be stacked now, not at a container's start.
            await lower_directories(self._store.layers, found.config.diff_ids)
            await self._store_documents(found)
            image = await self._record(reference, found)
        progress(ProgressEvent(f"Digest: {found.target.digest}"))
        fresh = before is None or before.image_id != image.id
        status = "Downloaded newer image" if fresh else "Image is up to date"
        familiar = reference.familiar(self._store.default_registry)
        progress(ProgressEvent(f"Status: {status} for {familiar}"))
        return image

    async def _pull_layers(
        self,
        repository: RegistryRepository,
        found: Resolved,
        progress: Callable[[ProgressEvent], None],
    ) -> None:
        # A repeated layer is downloaded once; two blobs of one layer are two downloads.
        pairs = zip(found.config.diff_ids, found.manifest.layers, strict=True)
        layers = {(diff_id, blob.digest): blob for diff_id, blob in pairs}
        downloads = [
            LayerDownload(
                self._store, diff_id, blob, partial(_fetch_layer, repository, blob), progress
            )
            for (diff_id, _), blob in layers.items()
        ]
        await run_all(download.run(self._slots) for download in downloads)

    async def _store_documents(self, found: Resolved) -> None:
        for remote in found.documents:
            await put_document(
                self._store.content, remote.descriptor.digest, remote.document.content
            )
        await put_document(self._store.content, found.manifest.config.digest, found.config.content)

    async def _record(self, reference: Reference, found: Resolved) -> Image:
        image_id = found.config.image_id
        pinned = f"{reference.host}/{reference.name}@{found.target.digest}"
        # Beside a digest the tag is informative only: its target was not checked.
        names = [pinned] if reference.digest else [str(reference), pinned]
        await self._store.records.point(
            names, found.target, found.documents[-1].descriptor.digest, image_id
        )
        image = self._store.records.find(image_id)
        assert image is not None
        return image


async def resolve(
    repository: RegistryRepository, reference: Reference, platform: Platform | None
) -> Resolved:
    """Resolve the reference to one manifest and its config, each verified by its descriptor."""
    top = await repository.fetch_manifest(reference.target)
    documents = [top]
    while isinstance(index := documents[-1].document, ImageIndex):
        if len(documents) > MAX_INDEX_DEPTH:
            raise RemoteUntrusted(f"{repository}: indexes in indexes, {len(documents)} deep")
        documents.append(await _choose(repository, index, platform or Platform.host()))
    manifest = documents[-1].document
    assert isinstance(manifest, ImageManifest)
    config = await _fetch_config(repository, manifest)
    if platform is not None:
        _check_platform(repository, manifest.config, config, platform)
    return Resolved(top.descriptor, manifest, config, tuple(documents))


async def _choose(
    repository: RegistryRepository, index: ImageIndex, platform: Platform
) -> RemoteManifest:
    chosen = choose(index.manifests, platform)
    if chosen is None:
        offered = ", ".join(
            sorted({str(each.platform) for each in index.manifests if each.platform})
        )
        raise NotFound(
            f"no matching manifest for {platform} in {repository}: "
            f"the index offers {offered or 'no platform'}"
        )
    found = await repository.fetch_manifest(chosen.digest)
    media_type = without_parameters(chosen.media_type)
    if found.descriptor.size != chosen.size or found.descriptor.media_type != media_type:
        raise RemoteUntrusted(
            f"{repository}: manifest {chosen.digest} is {found.descriptor.media_type} of "
            f"{found.descriptor.size} bytes, the index says {chosen.media_type} of {chosen.size}"
        )
    return found


async def _fetch_config(repository: RegistryRepository, manifest: ImageManifest) -> ImageConfig:
    """Fetch the config, and check that the manifest is a runnable image.

    Configs of 2015 to 2017 have ``text/html`` or no media type: the bytes decide.
    """
    descriptor = manifest.config
    if descriptor.size > MAX_CONFIG_BYTES:
        raise RemoteUntrusted(f"{repository}: config of {descriptor.size} bytes")
    content = b"".join([chunk async for chunk in repository.fetch_blob(descriptor)])
    if (actual := Digest.of(content, descriptor.digest.algorithm)) != descriptor.digest:
        raise DigestMismatch(descriptor.digest, actual)
    try:
        config = ImageConfig.parse(content)
    except ImageConfigInvalid as error:
        if without_parameters(descriptor.media_type) in CONFIGS:
            raise
        kind = descriptor.media_type or "of no type"
        raise RemoteUntrusted(
            f"{repository}: not an image: its config is {kind}: {error}"
        ) from error
    _check_layers(repository, manifest, config)
    return config


async def _fetch_layer(
    repository: RegistryRepository, layer: Descriptor, offset: int = 0
) -> AsyncGenerator[bytes, None]:
    """A layer's blob; a foreign one from the registry too, if it holds it, and from no URL."""
    try:
        async with aclosing(repository.fetch_blob(layer, offset)) as stream:
            async for chunk in stream:
                yield chunk
    except NotFound as error:
        if not layer.is_foreign:
            raise
        raise NotFound(
            f"{repository}: layer {layer.digest} is kept elsewhere ({layer.media_type}), and the "
            "registry does not hold it; foreign layers are never fetched from their URLs"
        ) from error


def _check_layers(
    repository: RegistryRepository, manifest: ImageManifest, config: ImageConfig
) -> None:
    if len(manifest.layers) != len(config.diff_ids):
        raise RemoteUntrusted(
            f"{repository}: {len(manifest.layers)} layers, but {len(config.diff_ids)} diff_ids"
        )
    check_count(len(manifest.layers))
    for layer in manifest.layers:
        if without_parameters(layer.media_type) not in LAYERS:
            raise RemoteUntrusted(f"{repository}: layer of unknown type {layer.media_type}")


def _check_platform(
    repository: RegistryRepository, descriptor: Descriptor, config: ImageConfig, wanted: Platform
) -> None:
    """Check the platform by the config: a manifest outside an index has no other."""
    if not config.platform.matches(wanted):
        raise NotFound(f"{repository}: the image is for {config.platform}, asked for was {wanted}")
