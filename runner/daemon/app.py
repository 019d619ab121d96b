"""open_daemon: build Services from RunnerSettings; only this module names concrete classes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runner.config import InvalidSettings, RunnerSettings
from runner.daemon.services import Services
from runner.linux.directories import make_directory
from runner.remote.client import RegistryClients
from runner.remote.contract import Registries
from runner.remote.registries import HTTPRegistries
from runner.runtime import versions
from runner.runtime.errors import RuntimeRefused
from runner.runtime.monitor.conmon import Conmon
from runner.runtime.mounter import KernelMounter
from runner.runtime.oci_spec.host import Host
from runner.runtime.runc import Runc, find_executable
from runner.services.containers.container_table import ContainerTable
from runner.services.containers.containers import Containers
from runner.services.containers.dependencies import ContainerDeps
from runner.services.events import Events
from runner.services.execs import Execs
from runner.services.images.images import Images
from runner.services.images.store import ImageStore
from runner.services.streams import ContainerStreams
from runner.services.volumes.volumes import Volumes
from runner.storage.content.layout import LayoutContentStore
from runner.storage.layers.store import DirectoryLayerStore
from runner.storage.records.sqlite import Records
from runner.storage.snapshots.overlay import OverlaySnapshotter

_PRIVATE = ("containers", "content", "layers", "snapshots", "tmp", "volumes")
_PRIVATE_RUN = ("b", "exits", "r", "runc")


@asynccontextmanager
async def open_daemon(settings: RunnerSettings) -> AsyncIterator[Services]:
    """Open and recover every service on this root; containers outlive it.

    Raises RecordsUnusable if another daemon has the root, InvalidSettings if a required
    program is missing.
    """
    programs = _programs(settings)
    _make_directories(settings)
    records = Records(settings.root / "records.db")
    clients = RegistryClients(settings.insecure_registries, settings.auth_hosts)
    try:
        services = await _open_services(settings, records, HTTPRegistries(clients), programs)
        try:
            yield services
        finally:
            await services.execs.close()
            await services.containers.close()
            # Syncs unpacked layers, which would be discarded after a power cut.
            await services.images.close()
    finally:
        await clients.aclose()
        records.close()


async def _open_services(
    settings: RunnerSettings,
    records: Records,
    registries: Registries,
    programs: dict[str, str],
) -> Services:
    root, host, events, table = settings.root, Host.detect(), Events(), ContainerTable()
    layers = DirectoryLayerStore(root / "layers")
    snapshotter = OverlaySnapshotter(root / "snapshots", layers)
    await layers.recover()
    await snapshotter.recover()
    store = ImageStore(
        LayoutContentStore(root / "content"), layers, records, settings.default_registry
    )
    images = Images(
        store,
        registries,
        snapshotter,
        events,
        root / "tmp",
        settings.parallel_downloads,
        users=table.list,
    )
    runtime = Runc(programs["runtime"], settings.run_dir / "runc")
    monitor = Conmon(
        programs["monitor"],
        programs["runtime"],
        runtime.root,
        settings.run_dir / "exits",
        host.cgroups,
    )
    volumes = Volumes(root / "volumes", records, events, table.list)
    deps = ContainerDeps(
        settings,
        table,
        records,
        snapshotter,
        images,
        volumes,
        runtime,
        monitor,
        KernelMounter(),
        events,
        host,
    )
    containers = Containers(deps)
    await images.recover()
    await containers.recover()
    warning = versions.warning(await versions.probe(programs["runtime"]))
    return Services(
        settings=settings,
        containers=containers,
        streams=ContainerStreams(containers, events),
        execs=Execs(containers, runtime, events),
        images=images,
        volumes=volumes,
        events=events,
        warnings=(warning,) if warning else (),
    )


def _make_directories(settings: RunnerSettings) -> None:
    """Create the directories: others may traverse the root but not read it, nor enter the images.

    Otherwise every user of the host could run an image's setuid programs.
    """
    make_directory(settings.root, 0o711)
    # Traversable, for users of the socket inside.
    make_directory(settings.run_dir, 0o755)
    private = [settings.root / name for name in _PRIVATE]
    for directory in (*private, *(settings.run_dir / name for name in _PRIVATE_RUN)):
        directory.mkdir(mode=0o700, exist_ok=True)
        directory.chmod(0o700)


def _programs(settings: RunnerSettings) -> dict[str, str]:
    found, mistakes = {}, []
    for key in ("runtime", "monitor"):
        try:
            found[key] = find_executable(str(getattr(settings, key)))
        except RuntimeRefused as error:
            mistakes.append(f"{key}: {error}")
    if mistakes:
        raise InvalidSettings(mistakes)
    return found
