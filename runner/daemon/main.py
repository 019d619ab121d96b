"""The daemon's entry point: read settings, open the services, serve until a signal."""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.config import InvalidSettings, RunnerSettings
from runner.daemon.api.routes import router
from runner.daemon.app import open_daemon
from runner.daemon.http.listening import inherited, listen
from runner.daemon.http.server import Server
from runner.daemon.logs import configure_logs
from runner.errors import RunnerError

log = logging.getLogger("runner.daemon")

REFUSED, USAGE = 1, 2

FLAGS = (
    ("--root", "DIR", "directory of images, containers and volumes"),
    ("--socket", "PATH", "socket to listen on"),
    ("--run-dir", "DIR", "directory of transient state (default: the socket's)"),
    ("--socket-group", "GROUP", "group that may use the socket besides root"),
    ("--default-registry", "HOST", "registry of image names without a host"),
    ("--insecure-registries", "HOSTS", "registries without TLS, separated by commas"),
    ("--runtime", "PROGRAM", "the OCI runtime: runc, crun, or a path"),
    ("--log-level", "LEVEL", "debug, info, warning or error"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """``runner daemon``; returns the exit code."""
    asked = vars(_parser().parse_args(argv))
    config, ready = asked.pop("config"), asked.pop("ready_fd")
    flags = {key: value for key, value in asked.items() if value is not None}
    try:
        settings = RunnerSettings.load(config, os.environ, flags)
        if os.geteuid() != 0:
            raise RunnerError("the daemon needs root: it mounts file systems and makes namespaces")
        # Records, logs and images hold secrets: by default only root may read new files.
        os.umask(0o077)
        configure_logs(settings.log_level)
        asyncio.run(_serve(settings, ready))
    except InvalidSettings as error:
        sys.stderr.write("".join(f"Error: {mistake}\n" for mistake in error.mistakes))
        return USAGE
    except (RunnerError, OSError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return REFUSED
    return 0


async def _serve(settings: RunnerSettings, ready: int | None) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    # Locks the records before touching the socket: a second daemon fails here.
    async with open_daemon(settings) as services:
        given = inherited()
        listener = given or listen(settings.socket, settings.socket_group)
        server = Server(router(services))
        await server.start(listener)
        for warning in services.warnings:
            log.warning("%s", warning)
        log.info("listening on %s, root %s", settings.socket, settings.root)
        _notify_ready(ready)
        await stopping.wait()
        log.info("stopping; containers keep running")
        await server.aclose()
        if given is None:
            _remove(settings.socket)


def _notify_ready(ready: int | None) -> None:
    """Notify the parent process through its pipe, and systemd through its socket."""
    if ready is not None:
        os.write(ready, b"1")
        os.close(ready)
    if address := os.environ.get("NOTIFY_SOCKET"):
        name = "\0" + address[1:] if address.startswith("@") else address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", name)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="runner daemon", description="Run the daemon.", allow_abbrev=False
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings, as TOML")
    for name, metavar, text in FLAGS:
        parser.add_argument(name, metavar=metavar, help=text)
    parser.add_argument(
        "--ready-fd", metavar="FD", type=int, help="a descriptor to write 1 to, once listening"
    )
    return parser
