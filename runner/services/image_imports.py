"""Import: a root filesystem's tar becomes an image of one layer.

https://docs.docker.com/reference/cli/docker/image/import/
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from oci.descriptor import Platform
from oci.digest import Digest
from oci.image_config import History, encode_image_config
from runner.schema import ProgressEvent
from runner.services.image_changes import ProcessDefaults, apply_changes
from runner.services.image_intake import LocalImage, take_in
from runner.services.image_search import parse_platform
from runner.services.image_store import Image, ImageStore
from runner.services.layer_files import Slice, describe, plain, spooled
from runner.tasks.threads import in_thread


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What to make of the archive; ``changes`` are Dockerfile instructions."""

    name: str | None = None
    changes: tuple[str, ...] = ()
    message: str = ""
    platform: str | None = None


class Importer:
    """Makes images of root filesystems."""

    def __init__(self, store: ImageStore, scratch: Path) -> None:
        self._store = store
        self._scratch = scratch

    async def import_(
        self,
        archive: AsyncIterator[bytes],
        options: ImportOptions,
        progress: Callable[[ProgressEvent], None],
    ) -> Image:
        """Unpack the archive, plain or compressed, and record the image made of it."""
        names = [str(self._store.tag_reference(options.name))] if options.name else []
        defaults = apply_changes(options.changes)
        platform = parse_platform(options.platform) or Platform.host()
        async with spooled(archive, self._scratch) as path:
            aside = path.with_name(f"{path.name}.gz")
            try:
                await in_thread(plain, path)
                layer = await in_thread(describe, Slice.whole(path), aside)
                config = _config(layer.diff_id, defaults, platform, options.message)
                local = LocalImage.assemble(config, [layer])
                # The layer's own bars would say little here: one line at the end does.
                image = await take_in(self._store, local, names, lambda event: None)
            finally:
                aside.unlink(missing_ok=True)
        progress(ProgressEvent(str(image.id)))
        return image


def _config(diff_id: Digest, defaults: ProcessDefaults, platform: Platform, message: str) -> bytes:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    history = History(created=now, comment=message or "Imported from -")
    return encode_image_config(
        platform, [diff_id], created=now, history=[history], **asdict(defaults)
    )
