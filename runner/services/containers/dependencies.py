"""ContainerDeps: the dependencies of the container services, built by daemon/app.py."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from runner.config import RunnerSettings
from runner.runtime.contract import Monitor, Mounter, OCIRuntime
from runner.runtime.oci_spec.host import Host
from runner.services.containers.container_table import ContainerTable
from runner.services.containers.handle import ContainerHandle, ContainerPaths
from runner.services.events import Events
from runner.services.images.image import Image
from runner.services.volumes.volumes import Volumes
from runner.storage.records.contract import RecordStore
from runner.storage.snapshots.contract import Snapshotter


class ImageFinder(Protocol):
    """The part of Images that containers need.

    Every implementation passes tests/runner/services/containers/test_image_finders.py.
    """

    def find(self, name: str) -> Image:
        """The image, or NoSuchImage."""
        ...

    def keep(self, image: Image) -> AbstractContextManager[None]:
        """Protect the image's layers from removal inside the block."""
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """Time limits and intervals of the container services, in seconds."""

    # A process in uninterruptible sleep (a dead network file system) survives SIGKILL.
    kill_seconds: float = 30.0
    # Time for operations in progress to finish when the daemon stops.
    close_seconds: float = 5.0
    # A disk takes some 200 MB/s from one container: 20 MB between two looks at its log.
    log_poll_seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class ContainerDeps:
    """Settings, records, storage, runtime, monitor and events."""

    settings: RunnerSettings
    table: ContainerTable
    records: RecordStore
    snapshotter: Snapshotter
    images: ImageFinder
    volumes: Volumes
    runtime: OCIRuntime
    monitor: Monitor
    mounter: Mounter
    events: Events
    host: Host
    timing: Timing = Timing()

    def paths(self, container: str) -> ContainerPaths:
        return ContainerPaths(
            self.settings.root / "containers" / container,
            self.settings.run_dir / "b" / container,
            self.settings.run_dir / "r" / container,
        )

    async def save(self, handle: ContainerHandle) -> None:
        """Write a container's record."""
        await self.records.containers.put(handle.to_record())

    async def observe(self, handle: ContainerHandle, **seen: Any) -> None:
        """Update a container's observed state, in memory and in its record."""
        handle.observed = replace(handle.observed, **seen)
        await self.save(handle)

    def publish(self, handle: ContainerHandle, action: str, **more: str) -> None:
        self.events.publish("container", action, handle.id, handle.attributes(**more))


def seconds_between(start: datetime | None, end: datetime | None) -> int:
    """Whole seconds from ``start`` to ``end``; 0 if either is None."""
    return int((end - start).total_seconds()) if start and end else 0
