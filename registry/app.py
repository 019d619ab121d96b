"""Composition: build a running registry from Settings; the only user of concrete classes."""

import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any, cast

import structlog

from registry.admin import disk, integrity
from registry.admin.control import serve_commands
from registry.admin.open_registry import OpenRegistry
from registry.api.access import Authorizer
from registry.api.application import Application
from registry.api.management.endpoints import ENDPOINTS as MANAGEMENT_ENDPOINTS
from registry.api.management.management import Management
from registry.api.routes import ENDPOINTS
from registry.api.routing import Router
from registry.auth.roles import Role
from registry.background import BackgroundTasks
from registry.config import Address, Settings
from registry.errors import StartupError
from registry.gc.collector import GarbageCollector
from registry.gc.epochs import watching_epochs
from registry.gc.jobs import GcJobs
from registry.jobs.scheduler import Job, Scheduler
from registry.logs import RequestLog, configure_logs
from registry.server import Certificate, Limits, Server, listen
from registry.services.context import Identities, ManifestPolicy, RegistryState, UploadLimits
from registry.services.identity.authentication import Authentication
from registry.services.identity.authorization import Authorization
from registry.services.identity.exchange import TokenExchange
from registry.services.identity.failed_logins import (
    FailedLogins,
    failures_job,
    recording_failures,
)
from registry.services.identity.issuers import Issuers
from registry.services.identity.startup import load_identities, signing_key
from registry.services.identity.token_service import TokenService
from registry.services.identity.token_uses import TokenUses, recording_uses, uses_job
from registry.services.operator.stopped import StoppedRegistry
from registry.services.repositories import Registry
from registry.services.sessions import Sessions
from registry.storage.backup_directory import check_complete, check_restore_target, restore
from registry.storage.blobs.contract import BlobStore
from registry.storage.blobs.filesystem.directories import check_tree, find_problem
from registry.storage.blobs.filesystem.reading import FilesystemFiles
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.database.contract import Database
from registry.storage.database.read_only import Snapshot
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.database.startup_errors import sqlite_problem, startup_errors
from registry.storage.disk.filesystem_type import check_local, is_read_only
from registry.storage.disk.free_space import MinimumFree
from registry.storage.disk.root import DATABASE, Root
from registry.storage.disk.write_guard import WriteGuard
from registry.storage.guard import Guard
from registry.storage.markers import CREATED, expecting_log
from registry.storage.prepare import check_database, prepare_database
from registry.storage.retention import Retention
from registry.storage.system_clock import SystemClock

NOBODY = (
    "nobody can sign in yet: make the first user with `registry setup --owner NAME`, or let "
    "anyone in with --anonymous push"
)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.  Raises StartupError, having changed nothing."""
    check_exposure(settings)
    certificate = certificate_of(settings)
    configure_logs(settings.logs.format, settings.logs.level)
    with ExitStack() as held:
        root = held.enter_context(Root.open(settings.storage.root))
        # Checked before a client can connect, and before anything is changed.
        check_tree(root.directory)
        check_database(root)
        listener = held.enter_context(
            listen(settings.server.listen.host, settings.server.listen.port)
        )
        check_filesystem(settings, root)
        prepare_database(root)

        def tell(host: str, port: int) -> None:
            log = structlog.get_logger()
            access = describe_access(settings)
            log.info(f"listening on {Address(host, port)}: {access}", root=str(root.path))
            if (problem := sqlite_problem()) is not None:
                log.warning(problem)

        background = BackgroundTasks()
        application = build_application(settings, root, background)
        server = Server(
            cast(Any, application),
            listener,
            limits=limits_of(settings),
            background=background,
            certificate=certificate,
        )
        server.on_ready = tell
        application.is_stopping = lambda: server.should_exit
        server.run()


def build_application(settings: Settings, root: Root, background: BackgroundTasks) -> Application:
    """The ASGI application over a root that is open and has the newest schema."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[Authorizer]:
        uses, failures = TokenUses(), FailedLogins()
        async with (
            open_registry(settings, root) as opened,
            watching_epochs(opened.state),
            recording_uses(opened.state, uses),
            recording_failures(opened.state, failures),
            run_jobs(Scheduler(jobs(opened, uses, failures), background), background),
            disk.check_after_crash(opened, background),
            serve_commands(opened),
        ):
            authorizer = await authorizer_of(opened, uses, failures)
            if not opened.state.identities.exist and authorizer.authorization.everyone is None:
                structlog.get_logger().info(NOBODY, root=str(root.path))
            yield authorizer

    requests = RequestLog(settings.logs.format) if settings.logs.requests else None
    return Application(
        Router(ENDPOINTS),
        Management(MANAGEMENT_ENDPOINTS),
        lifespan,
        requests,
        background,
        external_url=settings.server.external_url.rstrip("/"),
        trusted_proxies=settings.server.trusted_proxies,
    )


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
        store = FilesystemBlobStore(root, guard)
        try:
            state = state_of(settings, database, store, guard)
            collector = GarbageCollector(state, share=settings.gc.lock_percent / 100)
            with closing(state.identities.passwords), expecting_log(root):
                yield OpenRegistry(settings, root, Registry(state), state, collector)
        finally:
            await store.aclose()


@asynccontextmanager
async def open_stopped(settings: Settings) -> AsyncIterator[StoppedRegistry]:
    """Open a root that no server has, to read it: nothing in it is changed.

    Raises StartupError, also where an older program wrote the root.
    """
    with Root.open_to_read(existing_root(settings)) as root:
        check_database(root)
        with Snapshot.of(root.database) as rows, startup_errors(root.database):
            async with FilesystemFiles(root.directory) as files:
                yield StoppedRegistry(root.path, rows, files, SystemClock())


@contextmanager
def hold_stopped(settings: Settings, *, makes_root: bool = False) -> Iterator[Root]:
    """Hold a root that no server has, with the newest schema, for ``open_registry``.

    ``makes_root``: make a new one, as ``serve`` does, where there is none.
    """
    path = settings.storage.root if makes_root else existing_root(settings)
    with Root.open(path) as root:
        if makes_root:
            check_tree(root.directory)
            check_database(root)
            check_filesystem(settings, root)
        prepare_database(root)
        with startup_errors(root.database):
            yield root


def fill(settings: Settings, source: Path) -> None:
    """Fill a new root from the backup in ``source``, and upgrade its schema."""
    check_complete(source)
    check_restore_target(settings.storage.root)
    with Root.open(settings.storage.root) as root:
        restore(source, root)
        prepare_database(root)


def existing_root(settings: Settings) -> Path:
    """The root; raises StartupError without a registry: none is created by mistake."""
    path = settings.storage.root
    if not (path / DATABASE).exists() and not (path / CREATED).is_file():
        raise StartupError(
            f"storage root {path}: there is no registry here; give the root of one with --root, "
            "or make one by `registry serve`"
        )
    return path


def check_filesystem(settings: Settings, root: Root) -> None:
    """Raise StartupError for a network file system, unless the settings allow any."""
    if not settings.storage.any_filesystem:
        check_local(root.directory)


def takes_no_write(settings: Settings) -> bool:
    """Whether the root is on a read-only file system."""
    return is_read_only(settings.storage.root)


@asynccontextmanager
async def run_jobs(scheduler: Scheduler, background: BackgroundTasks) -> AsyncIterator[None]:
    """Run the jobs while the block runs; at its end they are cancelled."""
    async with background.running("jobs", scheduler.run):
        yield


def jobs(opened: OpenRegistry, uses: TokenUses, failures: FailedLogins) -> Sequence[Job]:
    """All background jobs, in the order of the settings."""
    gc = opened.settings.gc
    gc_jobs = GcJobs(
        opened.state, opened.collector, interval=gc.interval_seconds, sweep=gc.sweep_seconds
    )
    records = (uses_job(opened.state, uses), failures_job(opened.state, failures))
    return (*gc_jobs.jobs(), *disk.jobs(opened), *integrity.jobs(opened), *records)


async def authorizer_of(
    opened: OpenRegistry, uses: TokenUses, failures: FailedLogins
) -> Authorizer:
    """The authorizer of every request; reads whether there is anybody to sign in, and the key."""
    state, everyone = opened.state, opened.state.identities.everyone
    await load_identities(state)
    authorization = Authorization(state.database, state.clock, everyone)
    key = await signing_key(state)
    exchange = TokenExchange(
        state.database,
        state.clock,
        Issuers(state.clock),
        opened.settings.server.external_url,
        started_at=state.clock.wall_ms() // 1000,
    )
    authentication = Authentication(
        state.database,
        state.clock,
        state.identities.passwords,
        key,
        uses,
        failures,
        exchange=exchange,
    )
    tokens = TokenService(authentication, authorization)
    return Authorizer(opened.registry, authentication, authorization, tokens)


def everyone_of(settings: Settings) -> Role | None:
    """The role that anyone holds on every repository; None for none."""
    return {"none": None, "pull": Role.PULL, "push": Role.MAINTAIN}[settings.access.anonymous]


def check_exposure(settings: Settings) -> None:
    """Raise StartupError if passwords would cross a network that anybody can read."""
    server = settings.server
    is_encrypted = server.external_url.startswith("https://") or bool(server.tls_certificate)
    if server.listen.is_loopback or is_encrypted or server.plain_http:
        return
    raise StartupError(
        f"{server.listen} can be reached from other machines, and passwords would be sent there "
        "unencrypted: give server.tls_certificate and server.tls_key; or put a proxy with TLS in "
        'front and give its address, server.external_url = "https://HOST"; or insist with '
        "--plain-http"
    )


def certificate_of(settings: Settings) -> Certificate | None:
    """The certificate to serve TLS with, read once; raises StartupError."""
    server = settings.server
    if not server.tls_certificate and not server.tls_key:
        return None
    if not server.tls_certificate or not server.tls_key:
        raise StartupError("tls_certificate and tls_key belong together: one of them is not given")
    return Certificate(Path(server.tls_certificate), Path(server.tls_key))


def describe_access(settings: Settings) -> str:
    return {
        "none": "callers sign in",
        "pull": "anyone who can connect may pull, and signs in to push",
        "push": "anyone who can connect may pull, push and delete",
    }[settings.access.anonymous]


def state_of(
    settings: Settings, database: Database, store: BlobStore, guard: Guard
) -> RegistryState:
    clock = SystemClock()
    return RegistryState(
        database,
        store,
        ManifestPolicy(settings.manifests.sparse),
        guard,
        retention=retention_of(settings),
        limits=upload_limits_of(settings),
        clock=clock,
        sessions=Sessions(clock),
        identities=Identities(everyone=everyone_of(settings)),
    )


def retention_of(settings: Settings) -> Retention:
    gc = settings.gc
    return Retention(
        lease_ms=milliseconds(gc.lease_seconds),
        epoch_ms=milliseconds(gc.epoch_seconds),
        undelete_ms=milliseconds(gc.undelete_seconds),
        untagged_ms=milliseconds(gc.untagged_after_days * 86_400),
    )


def upload_limits_of(settings: Settings) -> UploadLimits:
    uploads = settings.uploads
    return UploadLimits(
        idle_ms=milliseconds(uploads.idle_seconds),
        max_age_ms=milliseconds(uploads.max_age_seconds),
        max_per_identity=uploads.max_per_identity,
        max_per_address=uploads.max_per_address,
        max_total=uploads.max_total,
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
