"""The endpoint table: method, path, handler; each with and without the prefix /v1.NN.

Engine API v1.44: https://docs.docker.com/reference/api/engine/version/v1.44/
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from runner.daemon.api import containers, execs, images, system, volumes
from runner.daemon.api.system import API_VERSION, MINIMUM_API_VERSION, dotted
from runner.daemon.http.messages import Application, HandlerResult, Request
from runner.daemon.services import Services
from runner.errors import BadRequest, NotFound

Handler = Callable[[Services, Request], Awaitable[HandlerResult]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint.  ``{id}`` matches one path segment, ``{name}`` may contain slashes."""

    method: str
    path: str
    handler: Handler


# The first match wins: fixed names come before {name}, long suffixes before short ones.
ENDPOINTS = (
    Endpoint("GET", "/_ping", system.ping),
    Endpoint("HEAD", "/_ping", system.ping),
    Endpoint("GET", "/version", system.version),
    Endpoint("GET", "/info", system.info),
    Endpoint("POST", "/auth", system.auth),
    Endpoint("GET", "/events", system.events),
    Endpoint("GET", "/system/df", system.disk_usage),
    Endpoint("GET", "/containers/json", containers.list_containers),
    Endpoint("POST", "/containers/create", containers.create),
    Endpoint("POST", "/containers/prune", containers.prune),
    Endpoint("GET", "/containers/{id}/json", containers.inspect),
    Endpoint("GET", "/containers/{id}/top", containers.top),
    Endpoint("GET", "/containers/{id}/logs", containers.logs),
    Endpoint("POST", "/containers/{id}/resize", containers.resize),
    Endpoint("POST", "/containers/{id}/start", containers.start),
    Endpoint("POST", "/containers/{id}/stop", containers.stop),
    Endpoint("POST", "/containers/{id}/restart", containers.restart),
    Endpoint("POST", "/containers/{id}/kill", containers.kill),
    Endpoint("POST", "/containers/{id}/rename", containers.rename),
    Endpoint("POST", "/containers/{id}/pause", containers.pause),
    Endpoint("POST", "/containers/{id}/unpause", containers.unpause),
    Endpoint("POST", "/containers/{id}/attach", containers.attach),
    Endpoint("POST", "/containers/{id}/wait", containers.wait),
    Endpoint("POST", "/containers/{id}/exec", execs.create),
    Endpoint("DELETE", "/containers/{id}", containers.remove),
    Endpoint("POST", "/exec/{id}/start", execs.start),
    Endpoint("POST", "/exec/{id}/resize", execs.resize),
    Endpoint("GET", "/exec/{id}/json", execs.inspect),
    Endpoint("GET", "/images/json", images.list_images),
    Endpoint("POST", "/images/create", images.create),
    Endpoint("POST", "/images/load", images.load),
    Endpoint("POST", "/images/prune", images.prune),
    Endpoint("GET", "/images/get", images.save),
    Endpoint("GET", "/images/{name}/json", images.inspect),
    Endpoint("GET", "/images/{name}/history", images.history),
    Endpoint("GET", "/images/{name}/get", images.save),
    Endpoint("POST", "/images/{name}/push", images.push),
    Endpoint("POST", "/images/{name}/tag", images.tag),
    Endpoint("DELETE", "/images/{name}", images.remove),
    Endpoint("GET", "/volumes", volumes.list_volumes),
    Endpoint("POST", "/volumes/create", volumes.create),
    Endpoint("POST", "/volumes/prune", volumes.prune),
    Endpoint("GET", "/volumes/{name}", volumes.inspect),
    Endpoint("DELETE", "/volumes/{name}", volumes.remove),
)

_VERSIONED = re.compile(r"/v([0-9]{1,4})\.([0-9]{1,4})(/.*)", re.ASCII)
_SEGMENTS = {"{id}": "(?P<id>[^/]+)", "{name}": "(?P<name>.+)"}


def router(services: Services) -> Application:
    """Return the application: check the version, find the endpoint, call its handler."""
    table = [(endpoint.method, _pattern(endpoint.path), endpoint.handler) for endpoint in ENDPOINTS]

    async def application(request: Request) -> HandlerResult:
        version, path = split_version(request.path)
        # Match after decoding: the slashes of a name may be percent-encoded.
        decoded = unquote(path)
        for method, pattern, handler in table:
            if method == request.method and (match := pattern.fullmatch(decoded)):
                parameters = match.groupdict()
                found = replace(request, path=path, version=version, parameters=parameters)
                return await handler(services, found)
        raise NotFound(
            f"page not found: {request.method} {path} is not part of the Engine API "
            f"{dotted(API_VERSION)} as this runner ({system.server_version()}) offers it"
        )

    return application


def split_version(path: str) -> tuple[tuple[int, int], str]:
    """Split a path into its API version (default: the newest) and the rest."""
    match = _VERSIONED.fullmatch(path)
    if match is None:
        return API_VERSION, path
    version = (int(match[1]), int(match[2]))
    if version < MINIMUM_API_VERSION:
        raise BadRequest(
            f"client version {dotted(version)} is too old. Minimum supported API version is "
            f"{dotted(MINIMUM_API_VERSION)}, please upgrade your client to a newer version"
        )
    if version > API_VERSION:
        raise BadRequest(
            f"client version {dotted(version)} is too new. "
            f"Maximum supported API version is {dotted(API_VERSION)}"
        )
    return version, match[3]


def _pattern(path: str) -> re.Pattern[str]:
    text = path
    for placeholder, segment in _SEGMENTS.items():
        text = text.replace(placeholder, segment)
    return re.compile(text)
