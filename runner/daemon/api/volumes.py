"""Handlers of /volumes.

https://docs.docker.com/engine/api/v1.44/#tag/Volume
"""

from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from runner.daemon.http.messages import HandlerResult, Request, json_response, no_content
from runner.daemon.services import Services
from runner.errors import BadRequest
from runner.schema import fields, filters
from runner.schema.filters import Filter
from runner.schema.times import format_time
from runner.services.volumes.volumes import Volume, VolumeUsage

DRIVER = "local"
# Before, a prune took named volumes too, and clients ask their users about those.
ONLY_ANONYMOUS_PRUNED_FROM = (1, 42)

PRUNE_FILTERS: dict[str, Filter[Volume]] = {
    "label": filters.label,
    "label!": filters.without_label,
}


def list_filters(used: Collection[str]) -> dict[str, Filter[Volume]]:
    """The filters of ``volume ls``; ``used`` holds the names of mounted volumes."""
    return {
        "dangling": filters.boolean("dangling", lambda one: one.name not in used),
        "driver": filters.any_of(lambda one, value: value == DRIVER),
        "label": filters.label,
        "name": filters.pattern("name", lambda one: (one.name,)),
    }


async def list_volumes(services: Services, request: Request) -> HandlerResult:
    used = {mount.volume for one in services.containers.list() for mount in one.mounts}
    matches = filters.selector(list_filters(used), request.query.filters())
    chosen = [one for one in services.volumes.list() if matches(one)]
    return json_response({"Volumes": [volume_document(one) for one in chosen], "Warnings": None})


async def create(services: Services, request: Request) -> HandlerResult:
    document = await request.json()
    fields.refuse_unknown(document, ("Driver", "DriverOpts", "Labels", "Name"))
    driver = fields.text(document, "Driver")
    if driver not in ("", DRIVER) or fields.mapping(document, "DriverOpts"):
        raise BadRequest("volume: only the driver 'local' without options is offered")
    name, labels = fields.text(document, "Name"), fields.string_map(document, "Labels")
    volume = await services.volumes.create(name, labels)
    return json_response(volume_document(volume), HTTPStatus.CREATED)


async def inspect(services: Services, request: Request) -> HandlerResult:
    return json_response(volume_document(services.volumes.find(request.parameters["name"])))


async def remove(services: Services, request: Request) -> HandlerResult:
    force = request.query.flag("force")
    await services.volumes.remove(request.parameters["name"], force=force)
    return no_content()


async def prune(services: Services, request: Request) -> HandlerResult:
    requested = request.query.filters()
    filters.check_names(requested, ("all", *PRUNE_FILTERS))
    everything = "all" in requested and filters.parse_boolean("all", requested.pop("all"))
    everything = everything or request.version < ONLY_ANONYMOUS_PRUNED_FROM
    matches = filters.selector(PRUNE_FILTERS, requested)
    removed, reclaimed = await services.volumes.prune(matches, everything=everything)
    return json_response({"VolumesDeleted": list(removed), "SpaceReclaimed": reclaimed})


def volume_document(volume: Volume, usage: VolumeUsage | None = None) -> dict[str, Any]:
    """The Engine API's Volume; UsageData only if ``usage`` is given."""
    document: dict[str, Any] = {
        "Name": volume.name,
        "Driver": DRIVER,
        "Mountpoint": str(volume.mountpoint),
        "CreatedAt": format_time(volume.created),
        "Labels": dict(volume.labels),
        "Scope": "local",
        "Options": {},
    }
    if usage is not None:
        document["UsageData"] = {"Size": usage.bytes, "RefCount": usage.containers}
    return document
