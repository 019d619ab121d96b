"""Images: find, pull, push, tag, remove, import, save, load.

Composition::

    registries = HTTPRegistries(RegistryClients(insecure=settings.insecure_registries))
    store = ImageStore(content, layers, records, settings.default_registry)
    images = Images(store, registries, snapshotter, events, settings.root / "tmp", users=index.list)
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import structlog

from oci.digest import Digest
from oci.errors import OCIError
from runner.credentials import Credentials
from runner.errors import NotFound, RunnerError
from runner.remote.contract import Registries
from runner.schema import Progress
from runner.services.events import Events
from runner.services.images import details, search
from runner.services.images.archives.imports import Importer, ImportOptions
from runner.services.images.archives.loads import Loader
from runner.services.images.archives.saves import Saver
from runner.services.images.details import HistoryStep, ImageDetails, ImageSummary
from runner.services.images.image import CorruptImage, Image, ImageUser
from runner.services.images.layers.download import restore
from runner.services.images.layers.files import drop_spooled
from runner.services.images.layers.sync import LayerSync
from runner.services.images.protection import PARTIAL_SECONDS
from runner.services.images.pulls import Puller
from runner.services.images.pushes import Pusher
from runner.services.images.removals import Deleted, Remover
from runner.services.images.store import ImageStore
from runner.storage.snapshots.contract import Snapshotter
from runner.tasks.threads import in_thread

log = structlog.get_logger()


PARALLEL_DOWNLOADS = 4


class Images:
    """The images of this machine.

    A ``name`` is ``[host/]name[:tag][@digest]``, an image ID, or a unique prefix of one.
    Queries are synchronous; long operations are awaited and report progress, and when cancelled
    leave only partial downloads, which the next attempt resumes.
    """

    def __init__(
        self,
        store: ImageStore,
        registries: Registries,
        snapshotter: Snapshotter,
        events: Events,
        scratch: Path,
        parallel_downloads: int = PARALLEL_DOWNLOADS,
        users: Callable[[], Sequence[ImageUser]] = tuple,
    ) -> None:
        """``users`` tells which containers there are, running or not."""
        self._store = store
        self._registries = registries
        self._events = events
        self._puller = Puller(store, registries, parallel_downloads)
        self._pusher = Pusher(store, registries, parallel_downloads)
        self._remover = Remover(store, snapshotter, users)
        self._scratch = scratch
        self._importer = Importer(store, scratch)
        self._loader = Loader(store, scratch)
        self._saver = Saver(store)
        self._layer_sync = LayerSync(store.layers)
        self._users = users

    def find(self, name: str) -> Image:
        """The image, or NoSuchImage; Conflict if an ID prefix matches several."""
        return search.find(self._store, name)

    def keep(self, image: Image) -> AbstractContextManager[None]:
        """Protect the image's layers from removal inside the block."""
        return self._store.protection.hold(image.config.diff_ids)

    def inspect(self, name: str) -> ImageDetails:
        """The image's config, names and size."""
        return details.describe(self._store, self.find(name))

    def history(self, name: str) -> tuple[HistoryStep, ...]:
        """The steps that made the image, newest first."""
        return details.history(self._store, self.find(name))

    def list(self, filters: Mapping[str, Sequence[str]] | None = None) -> tuple[ImageSummary, ...]:
        """Every image that the filters select, newest first.

        Filters: dangling, label, reference, before, since, until; BadRequest for any other.
        """
        users = self._users()
        found = search.select(self._store, filters or {})
        summaries = [details.summarize(self._store, image, users) for image in found]
        # No filter can match an image that cannot be read.
        for image in () if filters else self._store.records.images_and_corrupt():
            if isinstance(image, CorruptImage):
                log.warning("image corrupt", image=str(image.id), reason=image.reason)
                summaries.append(details.summarize(self._store, image, users))
        return tuple(summaries)

    def layers_bytes(self) -> int:
        """The size in bytes of all layers, each once, and of partial downloads."""
        images = self._store.records.images()
        layers = {diff_id: blob for image in images for diff_id, blob in image.layers}
        sizes = (details.layer_size(self._store, diff_id, blob) for diff_id, blob in layers.items())
        return sum(sizes) + self.partial_bytes

    def layers_bytes_of(self, image_id: Digest) -> int:
        """Bytes of one image's layers; 0 for an image that is gone or corrupt."""
        image = self._store.records.find_or_corrupt(image_id)
        return details.total_size(self._store, image) if isinstance(image, Image) else 0

    async def pull(
        self,
        name: str,
        *,
        platform: str | None = None,
        credentials: Credentials | None = None,
        progress: Progress,
    ) -> Image:
        """Pull an image; a name without tag and digest means ``latest``."""
        wanted = search.parse_platform(platform)
        reference = search.parse_reference(self._store, name)
        image = await self._puller.pull(reference, wanted, credentials, progress)
        await self._store.content.partial.discard(PARTIAL_SECONDS)
        self._layer_sync.begin()
        self._publish("pull", image, name)
        return image

    async def pull_all(
        self,
        name: str,
        *,
        platform: str | None = None,
        credentials: Credentials | None = None,
        progress: Progress,
    ) -> tuple[Image, ...]:
        """Pull every tag of a repository in sequence; ``name`` has neither tag nor digest.

        Stops at the first failure; images pulled before are kept.
        """
        search.parse_platform(platform)
        reference = search.parse_reference(self._store, name)
        tags = await self._puller.tags(reference, credentials)
        if not tags:
            raise NotFound(f"{reference.host}/{reference.name} has no tags to pull")
        images = [
            await self.pull(
                f"{name}:{tag}", platform=platform, credentials=credentials, progress=progress
            )
            for tag in tags
        ]
        return tuple(images)

    async def push(
        self,
        name: str,
        *,
        all_tags: bool = False,
        credentials: Credentials | None = None,
        progress: Progress,
    ) -> Digest:
        """Push an image to the registry in its name; returns its digest."""
        reference = search.parse_reference(self._store, name)
        digest = await self._pusher.push(reference, all_tags, credentials, progress)
        self._events.publish("image", "push", name, {"name": name})
        return digest

    async def tag(self, name: str, target: str) -> None:
        """Tag an image; the name is taken from another image that has it."""
        image = self.find(name)
        reference = search.parse_tag_reference(self._store, target)
        record = image.newest
        await self._store.records.point([str(reference)], record.target, record.manifest, image.id)
        self._publish("tag", image, target)

    async def remove(self, name: str, *, force: bool = False) -> tuple[Deleted, ...]:
        """Remove a name or an image; returns untagged names, and deleted images and layers.

        Conflict: in use by a container, or an ID with several names and no ``force``.
        """
        removed = await self._remover.remove(name, force=force)
        self._publish_removed(removed)
        return removed

    async def prune(
        self, matches: Callable[[Image], bool] | None = None, *, everything: bool = False
    ) -> tuple[tuple[Deleted, ...], int]:
        """Remove unnamed images, or all unused ones; returns also the bytes freed.

        Of these, only those for which ``matches`` is true.
        """
        removed, size = await self._remover.prune(matches, everything=everything)
        self._publish_removed(removed)
        return removed, size

    @property
    def partial_bytes(self) -> int:
        """The size in bytes of partial downloads, kept until resumed, pruned, or a day old."""
        return self._store.content.partial.total_bytes()

    async def import_(
        self, archive: AsyncIterator[bytes], options: ImportOptions, progress: Progress
    ) -> Image:
        """Make a one-layer image of a root filesystem's tar, plain or compressed."""
        image = await self._importer.import_(archive, options, progress)
        self._layer_sync.begin()
        self._publish("import", image, options.name or str(image.id))
        return image

    def save(self, names: Sequence[str]) -> AsyncIterator[bytes]:
        """Save these images as one tar, for ``load`` and tools that read OCI layouts.

        NoSuchImage is raised at once, before the first byte.
        """
        stream = self._saver.save(names)
        for name in names:
            self._publish("save", self.find(name), name)
        return stream

    async def load(self, archive: AsyncIterator[bytes], progress: Progress) -> tuple[Image, ...]:
        """Load the images of a tar made by ``save``, docker, podman or skopeo.

        Each name is reported in a ``stream`` item, with the image that had it before.
        """
        images = await self._loader.load(archive, progress)
        self._layer_sync.begin()
        for image in images:
            self._publish("load", image, str(image.id))
        return images

    async def recover(self) -> None:
        """At the daemon's start: unpack layers lost in a power cut from their blobs.

        A layer without an intact blob is left to the next pull.  Temporary archives of a killed
        daemon are removed; those that cannot be are logged.
        """
        await _attempt(in_thread(drop_spooled, self._scratch))
        for image_id in {record.image_id for record in self._store.records.all()}:
            try:
                await self._restore(image_id)
            except (RunnerError, OCIError, OSError) as error:
                # Start anyway: using the image will report the error.
                log.warning("image not restored", image=str(image_id), error=str(error))
        await _attempt(self._store.content.partial.discard(PARTIAL_SECONDS))
        self._layer_sync.begin()

    async def close(self) -> None:
        """At the daemon's stop, after all pulls have ended."""
        await self._layer_sync.close()
        await self._store.layers.sync()

    async def log_in(self, host: str, credentials: Credentials) -> bool:
        """Check the credentials with the registry; Unauthorized if refused.

        Returns False if the registry requires none, so that they remain unchecked.
        """
        return await self._registries.check_login(host or self.default_registry, credentials)

    @property
    def default_registry(self) -> str:
        return self._store.default_registry

    async def _restore(self, image_id: Digest) -> None:
        image = self._store.records.find(image_id)
        for diff_id, blob in image.layers if image else ():
            if not self._store.layers.has(diff_id) and self._store.content.has(blob.digest):
                await restore(self._store, diff_id, blob)

    def _publish(self, action: str, image: Image, name: str) -> None:
        attributes = {**image.config.labels, "name": name}
        self._events.publish("image", action, str(image.id), attributes)

    def _publish_removed(self, removed: Sequence[Deleted]) -> None:
        for item in removed:
            action = "untag" if item.untagged else "delete"
            named = str(item.image_id)
            self._events.publish("image", action, named, {"name": item.untagged or named})


async def _attempt(removal: Awaitable[object]) -> None:
    """Remove partial files; a failure is logged: the daemon can work beside them."""
    try:
        await removal
    except OSError as error:
        log.warning("partial files not removed", error=str(error))
