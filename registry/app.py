"""Composition: build a running registry from Settings; the only user of concrete classes."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import structlog

from registry.admin import backup, disk, integrity
from registry.admin.client import NotRunning, send_command
from registry.admin.command import Document
from registry.admin.commands import start
from registry.admin.control import serve_commands
from registry.admin.open_registry import OpenRegistry
from registry.api.access import Authorizer
from registry.api.application import Application
from registry.api.routes import ENDPOINTS
from registry.api.routing import Router
from registry.auth.policy import Policy
from registry.background import BackgroundTasks
from registry.backup.backup import StoppedRegistry, check_complete, check_restore_target
from registry.backup.backup import restore as restore_backup
from registry.config import Address, Settings
from registry.errors import StartupError
from registry.gc.collector import GarbageCollector
from registry.gc.epochs import watching_epochs
from registry.gc.jobs import GcJobs
from registry.integrity.checks import Integrity
from registry.jobs.scheduler import Job, Scheduler
from registry.logs import RequestLog, configure_logs
from registry.server import Limits, Server, listen
from registry.services.context import ManifestPolicy, RegistryState, UploadLimits
from registry.services.repositories import Registry
from registry.storage.blobs.filesystem.directories import check_tree, find_problem
from registry.storage.blobs.filesystem.files import FilesystemFiles
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.blobs.store import BlobStore
from registry.storage.database.contract import Database, OperatorRows, Rows
from registry.storage.database.read_only import Snapshot
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.database.startup_errors import startup_errors
from registry.storage.disk.filesystem_type import check_local, is_read_only
from registry.storage.disk.free_space import MinimumFree
from registry.storage.disk.root import DATABASE, Root
from registry.storage.disk.write_guard import WriteGuard
from registry.storage.guard import Guard
from registry.storage.markers import CREATED, expecting_log
from registry.storage.prepare import check_database, prepare_database
from registry.storage.retention import Retention


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.  Raises StartupError, having changed nothing."""
    policy = policy_of(settings)
    configure_logs(settings.logs.format, settings.logs.level)
    with ExitStack() as held:
        root = held.enter_context(Root.open(settings.storage.root))
        # Checked before a client can connect, and before anything is changed.
        check_tree(root.directory)
        check_database(root)
        listener = held.enter_context(
            listen(settings.server.listen.host, settings.server.listen.port)
        )
        if not settings.storage.any_filesystem:
            check_local(root.directory)
        prepare_database(root)

        def tell(host: str, port: int) -> None:
            log = structlog.get_logger()
            log.info(f"listening on {Address(host, port)}: {policy}", root=str(root.path))
            disk.warn_of_old_sqlite()

        background = BackgroundTasks()
        application = build_application(settings, root, background)
        server = Server(
            cast(Any, application), listener, limits=limits_of(settings), background=background
        )
        server.on_ready = tell
        application.is_stopping = lambda: server.should_exit
        server.run()


def build_application(
    settings: Settings, root: Root, background: BackgroundTasks | None = None
) -> Application:
    """The ASGI application over a root that is open and has the newest schema."""
    policy = policy_of(settings)
    background = background or BackgroundTasks()

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[Authorizer]:
        async with (
            open_registry(settings, root) as opened,
            watching_epochs(opened.state),
            run_jobs(Scheduler(jobs(opened), background), background),
            disk.check_after_crash(opened, background),
            serve_commands(opened),
        ):
            yield Authorizer(opened.registry, policy)

    requests = RequestLog(settings.logs.format) if settings.logs.requests else None
    return Application(Router(ENDPOINTS), lifespan, requests, background)


@asynccontextmanager
async def open_registry(settings: Settings, root: Root) -> AsyncIterator[OpenRegistry]:
    """Open the database, the store and the services over an open root."""
    guard = WriteGuard.of(
        root,
        MinimumFree(settings.disk.min_free_bytes, settings.disk.min_free_percent),
        find_problem,
    )
    with startup_errors(root.database):
        opening = SQLiteDatabase(root.database, guard)
    async with opening as database:
        store = FilesystemBlobStore(root, guard=guard)
        try:
            state = state_of(settings, database, store, guard)
            collector = GarbageCollector(state, share=settings.gc.lock_percent / 100)
            with expecting_log(root):
                yield OpenRegistry(settings, root, Registry(state), state, collector)
        finally:
            await store.aclose()


@asynccontextmanager
async def run_jobs(scheduler: Scheduler, background: BackgroundTasks) -> AsyncIterator[None]:
    """Run the jobs while the block runs; at its end they are cancelled."""
    async with background.running("jobs", scheduler.run):
        yield


def jobs(opened: OpenRegistry) -> Sequence[Job]:
    """All background jobs, in the order of the settings."""
    gc = opened.settings.gc
    gc_jobs = GcJobs(
        opened.state, opened.collector, interval=gc.interval_seconds, sweep=gc.sweep_seconds
    )
    return (*gc_jobs.jobs(), *disk.jobs(opened), *integrity.jobs(opened))


def administer(settings: Settings, command: str, arguments: dict[str, Any]) -> Iterator[Document]:
    """Run an administrative command: in the server of the root, or else in this process.

    Raises CommandRefused, or StartupError if neither is possible.
    """
    if not settings.storage.root.is_dir():
        raise no_registry(settings.storage.root)
    try:
        yield from send_command(settings.storage.root, command, arguments)
    except NotRunning:
        configure_logs(settings.logs.format, settings.logs.level)
        if command == "fsck" and not arguments.get("repair"):
            yield from check(settings, deep=bool(arguments.get("deep")))
        elif command == "backup" and is_read_only(settings.storage.root):
            yield from backup_read_only(settings, **arguments)
        else:
            yield from run_offline(settings, command, arguments)


def restore(settings: Settings, source: Path) -> Iterator[Document]:
    """Fill a new root from a backup and check it; yields the documents of fsck."""
    root = settings.storage.root
    check_complete(source)
    check_restore_target(root)
    configure_logs(settings.logs.format, settings.logs.level)
    with Root.open(root) as opened:
        restore_backup(source, opened)
        prepare_database(opened)
    yield from check(settings, deep=True)


def check(settings: Settings, *, deep: bool) -> Iterator[Document]:
    """Check a root that no server uses, without changing it."""
    with open_to_read(settings) as (root, rows):
        yield from iterate(check_files(rows, root, deep=deep))


async def check_files(rows: Rows, root: Root, *, deep: bool) -> AsyncGenerator[Document, None]:
    async with (
        FilesystemFiles(root.directory) as files,
        aclosing(integrity.check(Integrity(rows, files, deep))) as documents,
    ):
        async for document in documents:
            yield document


def backup_read_only(settings: Settings, directory: str, copy: bool) -> Iterator[Document]:
    """Back up a root that no server has, and change nothing in it: its disk takes no write."""
    with open_to_read(settings) as (root, rows):
        yield from iterate(backup_files(rows, root, directory, copy))


async def backup_files(
    rows: OperatorRows, root: Root, directory: str, copy: bool
) -> AsyncGenerator[Document, None]:
    async with FilesystemFiles(root.directory) as files:
        stopped = StoppedRegistry(rows, files)
        async with aclosing(
            backup.backup_read_only(stopped, root.path, directory, copy)
        ) as documents:
            async for document in documents:
                yield document


@contextmanager
def open_to_read(settings: Settings) -> Iterator[tuple[Root, Snapshot]]:
    """A root that no server has, and its rows."""
    with Root.open_to_read(existing_root(settings)) as root:
        check_database(root)
        with Snapshot.of(root.database) as rows, startup_errors(root.database):
            yield root, rows


def run_offline(settings: Settings, command: str, arguments: dict[str, Any]) -> Iterator[Document]:
    """Run an administrative command in this process, on a root that no server uses."""
    # No request waits for the lock meanwhile.
    settings = replace(settings, gc=replace(settings.gc, lock_percent=100.0))
    with Root.open(existing_root(settings)) as root:
        prepare_database(root)

        async def documents() -> AsyncGenerator[Document, None]:
            async with (
                open_registry(settings, root) as opened,
                aclosing(start(opened, command, arguments)) as documents,
            ):
                async for document in documents:
                    yield document

        with startup_errors(root.database):
            yield from iterate(documents())


def existing_root(settings: Settings) -> Path:
    """The root; raises StartupError without a registry: none is created by mistake."""
    path = settings.storage.root
    if not (path / DATABASE).exists() and not (path / CREATED).is_file():
        raise no_registry(path)
    return path


def no_registry(path: Path) -> StartupError:
    return StartupError(
        f"storage root {path}: there is no registry here; give the root of one with --root, or "
        "make one by `registry serve`"
    )


def iterate(documents: AsyncGenerator[Document, None]) -> Iterator[Document]:
    """Yield a command's documents from an event loop of their own."""
    with asyncio.Runner() as runner:
        try:
            while True:
                yield runner.run(anext(documents))
        except StopAsyncIteration:
            return
        finally:
            runner.run(documents.aclose())


def policy_of(settings: Settings) -> Policy:
    """The access policy.  Raises StartupError if it must be set and is not."""
    anonymous, address = settings.access.anonymous, settings.server.listen
    if anonymous != "auto":
        return Policy(anonymous)
    if not address.is_loopback:
        raise StartupError(
            f"{address} can be reached from other machines, and no identities are configured yet: "
            "say what anyone there may do with --anonymous none, pull or push"
        )
    return Policy("push")


def state_of(
    settings: Settings, database: Database, store: BlobStore, guard: Guard
) -> RegistryState:
    uploads = settings.uploads
    return RegistryState(
        database,
        store,
        ManifestPolicy(settings.manifests.sparse),
        guard,
        retention=retention_of(settings),
        limits=UploadLimits(
            idle_ms=milliseconds(uploads.idle_seconds),
            max_age_ms=milliseconds(uploads.max_age_seconds),
            max_per_identity=uploads.max_per_identity,
            max_per_address=uploads.max_per_address,
            max_total=uploads.max_total,
        ),
    )


def retention_of(settings: Settings) -> Retention:
    gc = settings.gc
    return Retention(
        lease_ms=milliseconds(gc.lease_seconds),
        epoch_ms=milliseconds(gc.epoch_seconds),
        undelete_ms=milliseconds(gc.undelete_seconds),
        untagged_ms=milliseconds(gc.untagged_after_days * 86_400),
    )


def milliseconds(seconds: float) -> int:
    return math.ceil(seconds * 1000)


def limits_of(settings: Settings) -> Limits:
    server = settings.server
    return Limits(
        header_seconds=server.header_seconds,
        keep_alive_seconds=server.idle_seconds,
        body_bytes_per_second=server.body_bytes_per_second,
        shutdown_seconds=server.shutdown_seconds,
    )
