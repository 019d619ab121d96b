"""Import a root filesystem's tar as an image of one layer.

https://docs.docker.com/reference/cli/docker/image/import/
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from oci.descriptor import Platform
from oci.digest import Digest
from oci.encoding import encode_image_config
from oci.image_config import History
from runner.schema import ProgressEvent
from runner.services.images.archives.changes import ProcessDefaults, apply_changes
from runner.services.images.image import Image
from runner.services.images.ingest import LocalImage, ingest_image
from runner.services.images.layers.files import FileRange, decompress_in_place, measure_layer, spool
from runner.services.images.search import parse_platform, parse_tag_reference
from runner.services.images.store import ImageStore
from runner.tasks.threads import in_thread


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import; ``changes`` are Dockerfile instructions."""

    name: str | None = None
    changes: tuple[str, ...] = ()
    message: str = ""
    platform: str | None = None


class Importer:
    """Imports root filesystems as images."""

    def __init__(self, store: ImageStore, scratch: Path) -> None:
        self._store = store
        self._scratch = scratch

    async def import_(
        self,
        archive: AsyncIterator[bytes],
        options: ImportOptions,
        progress: Callable[[ProgressEvent], None],
    ) -> Image:
        """Unpack the archive, plain or compressed, and record an image of it."""
        names = [str(parse_tag_reference(self._store, options.name))] if options.name else []
        defaults = apply_changes(options.changes)
        platform = parse_platform(options.platform) or Platform.host()
        async with spool(archive, self._scratch) as path:
            temporary = path.with_name(f"{path.name}.gz")
            try:
                await in_thread(decompress_in_place, path)
                layer = await in_thread(measure_layer, FileRange.whole(path), temporary)
                config = _config(layer.diff_id, defaults, platform, options.message)
                local = LocalImage.assemble(config, [layer])
                # No progress per layer: one line at the end suffices.
                image = await ingest_image(self._store, local, names, lambda event: None)
            finally:
                temporary.unlink(missing_ok=True)
        progress(ProgressEvent(str(image.id)))
        return image


def _config(diff_id: Digest, defaults: ProcessDefaults, platform: Platform, message: str) -> bytes:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    history = History(created=now, comment=message or "Imported from -")
    return encode_image_config(
        platform, [diff_id], created=now, history=[history], **asdict(defaults)
    )
