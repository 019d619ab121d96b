"""Handlers: volumes."""

from http import HTTPStatus
from typing import Any

from runner.daemon.messages import Answer, Request, json_response, no_content
from runner.daemon.services import Services
from runner.daemon.times import moment
from runner.errors import BadRequest
from runner.schema import fields
from runner.services.volumes import Volume


async def list_volumes(services: Services, request: Request) -> Answer:
    filters = request.query.filters()
    for key in filters:
        if key not in ("name", "label", "driver", "dangling"):
            raise BadRequest(f"invalid filter '{key}'")
    used = {mount.volume for one in services.containers.list() for mount in one.mounts}
    chosen = [one for one in services.volumes.list() if _kept(one, filters, used)]
    return json_response({"Volumes": [_document(one) for one in chosen], "Warnings": None})


async def create(services: Services, request: Request) -> Answer:
    document = await request.json()
    driver = fields.text(document, "Driver")
    if driver not in ("", "local") or fields.mapping(document, "DriverOpts"):
        raise BadRequest("volume: only the driver 'local' without options is offered")
    name, labels = fields.text(document, "Name"), fields.string_map(document, "Labels")
    volume = await services.volumes.create(name, labels)
    return json_response(_document(volume), HTTPStatus.CREATED)


async def inspect(services: Services, request: Request) -> Answer:
    return json_response(_document(services.volumes.find(request.parameters["name"])))


async def remove(services: Services, request: Request) -> Answer:
    force = request.query.flag("force")
    await services.volumes.remove(request.parameters["name"], force=force)
    return no_content()


async def prune(services: Services, request: Request) -> Answer:
    everything = any(value in ("1", "true") for value in request.query.filters().get("all", ()))
    removed, reclaimed = await services.volumes.prune(everything=everything)
    return json_response({"VolumesDeleted": list(removed), "SpaceReclaimed": reclaimed})


def _kept(volume: Volume, filters: dict[str, list[str]], used: set[str]) -> bool:
    names, labels = filters.get("name"), filters.get("label", [])
    if names and not any(name in volume.name for name in names):
        return False
    if drivers := filters.get("driver"):
        return "local" in drivers
    for value in filters.get("dangling", ()):
        if (volume.name not in used) != (value in ("1", "true")):
            return False
    pairs = {f"{key}={value}" for key, value in volume.labels.items()}
    return all(label in pairs or label in volume.labels for label in labels)


def _document(volume: Volume) -> dict[str, Any]:
    return {
        "Name": volume.name,
        "Driver": "local",
        "Mountpoint": str(volume.mountpoint),
        "CreatedAt": moment(volume.created),
        "Labels": dict(volume.labels),
        "Scope": "local",
        "Options": {},
    }
