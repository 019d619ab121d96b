"""Handlers of ping, version, info, auth, events and disk usage.

https://docs.docker.com/engine/api/v1.44/#tag/System
"""

import os
import platform
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Any

from oci.descriptor import Platform
from runner.credentials import Credentials
from runner.daemon.api import image_documents
from runner.daemon.api.container_documents import summary
from runner.daemon.api.containers import measure
from runner.daemon.api.event_filters import selector
from runner.daemon.api.volumes import volume_document
from runner.daemon.http.messages import HandlerResult, Request, Response, encode, json_response
from runner.daemon.services import Services
from runner.errors import BadRequest
from runner.schema import fields
from runner.schema.times import format_time, parse_time
from runner.services.events import Event

API_VERSION = (1, 44)
# Requested by containers/image (skopeo, buildah) for docker-daemon:.
MINIMUM_API_VERSION = (1, 22)


def dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


@cache
def server_version() -> str:
    return distribution_version("slipway")


async def ping(services: Services, request: Request) -> HandlerResult:
    headers = {
        "Api-Version": dotted(API_VERSION),
        "Ostype": "linux",
        "Docker-Experimental": "false",
        # 1 is the classic builder; 2 would send clients to BuildKit's endpoints.
        "Builder-Version": "1",
        "Swarm": "inactive",
        "Cache-Control": "no-cache, no-store, must-revalidate",
        "Pragma": "no-cache",
    }
    body = b"" if request.method == "HEAD" else b"OK"
    return Response(body=body, content_type="text/plain; charset=utf-8", headers=headers)


async def version(services: Services, request: Request) -> HandlerResult:
    details = {
        "ApiVersion": dotted(API_VERSION),
        "MinAPIVersion": dotted(MINIMUM_API_VERSION),
        "Os": "linux",
        "Arch": Platform.host().architecture,
        "GoVersion": f"Python {platform.python_version()}",
        "KernelVersion": platform.release(),
        "Experimental": "false",
    }
    document = {
        "Platform": {"Name": "Slipway"},
        "Version": server_version(),
        "ApiVersion": dotted(API_VERSION),
        "MinAPIVersion": dotted(MINIMUM_API_VERSION),
        "GitCommit": "",
        "GoVersion": f"Python {platform.python_version()}",
        "Os": "linux",
        "Arch": Platform.host().architecture,
        "KernelVersion": platform.release(),
        "BuildTime": "",
        "Components": [{"Name": "Engine", "Version": server_version(), "Details": details}],
    }
    return json_response(document)


async def info(services: Services, request: Request) -> HandlerResult:
    states = [str(container.state) for container in services.containers.list()]
    settings = services.settings
    document: dict[str, Any] = {
        "ID": _machine_id(),
        "Containers": len(states),
        "ContainersRunning": states.count("running"),
        "ContainersPaused": states.count("paused"),
        "ContainersStopped": len(states) - states.count("running") - states.count("paused"),
        "Images": len(services.images.list()),
        "Driver": "overlay",
        "DriverStatus": [],
        "DockerRootDir": str(settings.root),
        "Plugins": {"Volume": ["local"], "Network": ["host", "none"], "Log": ["json-file"]},
        "MemoryLimit": True,
        "SwapLimit": True,
        "CpuCfsPeriod": True,
        "CpuCfsQuota": True,
        "CPUShares": True,
        "CPUSet": True,
        "PidsLimit": True,
        "OomKillDisable": False,
        "IPv4Forwarding": True,
        "Debug": settings.log_level == "debug",
        "SystemTime": format_time(datetime.now(UTC)),
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": _cgroup_version(),
        "KernelVersion": platform.release(),
        "OperatingSystem": _operating_system(),
        "OSType": "linux",
        "Architecture": platform.machine(),
        "NCPU": os.cpu_count() or 1,
        "MemTotal": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "IndexServerAddress": settings.default_registry,
        "RegistryConfig": {
            "InsecureRegistryCIDRs": ["127.0.0.0/8"],
            "IndexConfigs": {},
            "Mirrors": [],
        },
        "Name": platform.node(),
        "Labels": [],
        "ExperimentalBuild": False,
        "ServerVersion": server_version(),
        # Not docker's: the process to send SIGTERM to.
        "DaemonPID": os.getpid(),
        "Runtimes": {"runc": {"path": settings.runtime}},
        "DefaultRuntime": "runc",
        "Swarm": {"LocalNodeState": "inactive"},
        # As with docker's live restore, containers outlive the daemon.
        "LiveRestoreEnabled": True,
        "SecurityOptions": ["name=seccomp,profile=builtin"],
        "Warnings": list(services.warnings),
    }
    return json_response(document)


async def auth(services: Services, request: Request) -> HandlerResult:
    document = await request.json()
    credentials = Credentials(
        username=fields.text(document, "username"),
        password=fields.text(document, "password"),
        identity_token=fields.text(document, "identitytoken"),
    )
    address = fields.text(document, "serveraddress")
    host = address.removeprefix("https://").removeprefix("http://").partition("/")[0]
    checked = await services.images.log_in(host, credentials)
    # Scripts look for docker's "Login Succeeded".
    unchecked = "" if checked else ": the registry asks for no credentials, these were not checked"
    return json_response({"Status": f"Login Succeeded{unchecked}", "IdentityToken": ""})


async def events(services: Services, request: Request) -> HandlerResult:
    matches = selector(request.query.filters())
    since = parse_time(request.query.text("since"))
    until = parse_time(request.query.text("until"))
    subscription = services.events.subscribe(
        since=since.timestamp() if since else None, until=until.timestamp() if until else None
    )

    async def body() -> AsyncGenerator[bytes, None]:
        async for event in subscription:
            if matches(event):
                yield encode(_event_document(event))

    return Response(body=body())


USAGE_TYPES = ("container", "image", "volume", "build-cache")


async def disk_usage(services: Services, request: Request) -> HandlerResult:
    """Disk usage of images, containers and volumes, or only of the ``type``s given."""
    requested = request.query.all("type") or list(USAGE_TYPES)
    for kind in requested:
        if kind not in USAGE_TYPES:
            raise BadRequest(f"invalid type {kind!r}: expected one of {', '.join(USAGE_TYPES)}")
    document: dict[str, Any] = {"BuildCache": []}
    if "image" in requested:
        document["Images"] = [image_documents.summary(one) for one in services.images.list()]
        document["LayersSize"] = services.images.layers_bytes()
    if "container" in requested:
        document["Containers"] = [
            summary(one, sizes=await measure(services, one)) for one in services.containers.list()
        ]
    if "volume" in requested:
        document["Volumes"] = [
            volume_document(one, await services.volumes.usage(one.name))
            for one in services.volumes.list()
        ]
    return json_response(document)


def _event_document(event: Event) -> dict[str, Any]:
    document: dict[str, Any] = {
        "Type": event.type,
        "Action": event.action,
        "Actor": {"ID": event.id, "Attributes": dict(event.attributes)},
        "scope": "local",
        "time": int(event.time),
        "timeNano": int(event.time * 1_000_000_000),
    }
    # The fields used before Type and Actor, which clients still read.
    if event.type in ("container", "image"):
        document |= {"status": event.action, "id": event.id}
    if event.type == "container":
        document["from"] = event.attributes.get("image", "")
    return document


def _cgroup_version() -> str:
    return "2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "1"


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def _machine_id() -> str:
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return platform.node()
