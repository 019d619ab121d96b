"""Remove names, and with the last one the image, by docker's rules.

https://docs.docker.com/reference/cli/docker/image/rm/
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oci.digest import Digest
from oci.reference import Reference
from runner.errors import Conflict, Kind
from runner.services.images.image import CorruptImage, Image, ImageUser
from runner.services.images.protection import PARTIAL_SECONDS
from runner.services.images.search import familiar, find_to_remove, is_id, parse_reference
from runner.services.images.store import ImageStore
from runner.storage.records.values import ImageRecord
from runner.storage.snapshots.contract import Snapshotter


@dataclass(frozen=True, slots=True)
class Deleted:
    """One result of a removal: a name untagged, or an image or layer deleted."""

    image_id: Digest
    untagged: str = ""
    deleted: Digest | None = None


class Remover:
    """Removes names and images, and sweeps unused blobs and layers."""

    def __init__(
        self,
        store: ImageStore,
        snapshotter: Snapshotter,
        users: Callable[[], Sequence[ImageUser]],
    ) -> None:
        self._store = store
        self._snapshotter = snapshotter
        self._users = users

    async def remove(self, name: str, *, force: bool) -> tuple[Deleted, ...]:
        """Remove one name, and the image with the last; by an ID, all names and the image."""
        image = find_to_remove(self._store, name)
        leaving = self._references_to_remove(name, image, force=force)
        staying = [record for record in image.tags if record not in leaving]
        if staying:
            return await self._untag(image, leaving)
        # Without a tag, digest references do not keep an image.
        self._refuse_in_use(name, image, force=force)
        return await self._delete(image, name)

    async def prune(
        self, matches: Callable[[Image], bool] | None, *, everything: bool
    ) -> tuple[tuple[Deleted, ...], int]:
        """Remove unused images without a tag, or all unused ones, that match."""
        used = {user.image_id for user in self._users()}
        removed: list[Deleted] = []
        for image in self._store.records.images_and_corrupt():
            # A filter cannot match a corrupt image.
            selected = matches is None or (isinstance(image, Image) and matches(image))
            if selected and image.id not in used and (everything or not image.tags):
                removed += self._untagged(image, image.records)
                removed.append(Deleted(image.id, deleted=image.id))
                await self._store.records.remove(*(r.reference for r in image.records))
        # A prune frees partial downloads too.
        layers, size = await self._sweep(partial_seconds=0)
        images = {item.image_id for item in removed}
        removed += [Deleted(layer, deleted=layer) for layer in layers if layer not in images]
        return tuple(removed), size

    def _references_to_remove(
        self, name: str, image: Image | CorruptImage, *, force: bool
    ) -> tuple[ImageRecord, ...]:
        """The references that removing the name removes."""
        if is_id(name, image) and not self._is_name(name, image):
            repositories = {record.reference.rpartition(":")[0] for record in image.tags}
            if len(repositories) > 1 and not force:
                raise Conflict(
                    f"conflict: unable to delete {image.id.encoded[:12]} (must be forced) - "
                    "image is referenced in multiple repositories"
                )
            return image.records
        reference = parse_reference(self._store, name)
        key = str(reference)
        if reference.digest is not None:
            key = f"{reference.host}/{reference.name}@{reference.digest}"
        return tuple(record for record in image.records if record.reference == key)

    def _is_name(self, name: str, image: Image | CorruptImage) -> bool:
        """Whether the name is a reference and not an ID prefix, such as ``beef``."""
        if len(name) == 64 or ":" in name:
            return False
        reference = Reference.parse(name, default_host=self._store.default_registry)
        return any(record.reference == str(reference) for record in image.records)

    def _refuse_in_use(self, name: str, image: Image | CorruptImage, *, force: bool) -> None:
        for user in self._users():
            if user.image_id != image.id:
                continue
            if user.is_running:
                raise Conflict(
                    f"conflict: unable to delete {name} (cannot be forced) - "
                    f"image is being used by running container {user.id[:12]}",
                    kind=Kind.IMAGE_USED_BY_RUNNING,
                )
            if not force:
                raise Conflict(
                    f"conflict: unable to delete {name} (must be forced) - "
                    f"image is being used by stopped container {user.id[:12]}",
                    kind=Kind.IMAGE_USED_BY_STOPPED,
                )

    async def _untag(
        self, image: Image | CorruptImage, leaving: Sequence[ImageRecord]
    ) -> tuple[Deleted, ...]:
        gone = [record.reference for record in leaving]
        repositories = {
            record.reference.rpartition(":")[0] for record in image.tags if record not in leaving
        }
        # With a repository's last tag its digest references go too.
        orphaned = [
            record
            for record in image.digests
            if record not in leaving and record.reference.partition("@")[0] not in repositories
        ]
        await self._store.records.remove(*gone, *(r.reference for r in orphaned))
        return self._untagged(image, [*leaving, *orphaned])

    async def _delete(self, image: Image | CorruptImage, name: str) -> tuple[Deleted, ...]:
        removed = list(self._untagged(image, image.records))
        await self._store.records.remove(*(record.reference for record in image.records))
        removed.append(Deleted(image.id, deleted=image.id))
        layers, _ = await self._sweep()
        removed += [Deleted(image.id, deleted=layer) for layer in layers if layer in image.diff_ids]
        return tuple(removed)

    async def _sweep(
        self, partial_seconds: float = PARTIAL_SECONDS
    ) -> tuple[tuple[Digest, ...], int]:
        """Sweep, except layers under snapshots: containers outlive a forced removal."""
        # Read holds before snapshots: an image released in between is protected by its snapshot.
        in_use = set(self._store.protection.held())
        for key in await self._snapshotter.keys():
            in_use.update(await self._snapshotter.parents(key))
        return await self._store.protection.sweep(in_use, partial_seconds=partial_seconds)

    def _untagged(
        self, image: Image | CorruptImage, records: Sequence[ImageRecord]
    ) -> tuple[Deleted, ...]:
        return tuple(
            Deleted(image.id, untagged=familiar(self._store, record))
            for record in records
            if record.reference != str(image.id)
        )
