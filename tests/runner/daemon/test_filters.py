"""Every endpoint with filters, beside the specification's: each honoured, any other refused."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import pytest

from runner.daemon.api.container_filters import select
from runner.daemon.api.routes import router
from runner.daemon.http.messages import Query, Request, Response
from runner.daemon.services import Services
from runner.errors import BadRequest, RunnerError
from runner.services.containers.container import Container, MountPoint
from runner.services.containers.lifecycle import State
from runner.services.events import Events
from runner.services.volumes.volumes import Volumes
from runner.storage.records.sqlite import Records
from tests.support.images import an_image
from tests.support.runner.containers import a_container
from tests.support.runner.fake_registry import FakeRegistry
from tests.support.runner.runner_images import runner_images

# Engine API v1.44, what each endpoint documents, less what this version has no use for: ports
# (expose, publish), health checks, Swarm and Windows.
SPECIFIED = {
    ("GET", "/containers/json"): (
        "ancestor before exited id label name network since status volume"
    ),
    ("POST", "/containers/prune"): "until label label!",
    ("GET", "/images/json"): "before dangling label reference since until",
    ("POST", "/images/prune"): "dangling until label label!",
    ("GET", "/volumes"): "dangling driver label name",
    ("POST", "/volumes/prune"): "label label! all",
    ("GET", "/events"): "container event image label type volume",
}
EVERY = sorted({name for names in SPECIFIED.values() for name in names.split()} | {"colour", ""})
# A value that each filter can read.
VALUES = {"dangling": "true", "all": "true", "until": "1h", "exited": "0", "status": "running"}


@dataclass
class FakeContainers:
    """Containers that can be listed and pruned, and nothing else."""

    all: tuple[Container, ...] = ()

    def list(self) -> tuple[Container, ...]:
        return self.all

    async def prune(self, matches: Callable[[Container], bool]) -> tuple[tuple[str, ...], int]:
        gone = tuple(one for one in self.all if matches(one))
        self.all = tuple(one for one in self.all if one not in gone)
        return tuple(one.id for one in gone), 0


@pytest.fixture
def containers() -> FakeContainers:
    return FakeContainers()


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        yield registry


@pytest.fixture
async def services(
    tmp_path: Path, containers: FakeContainers, registry: FakeRegistry
) -> AsyncIterator[Services]:
    (tmp_path / "volumes").mkdir()
    records = Records(tmp_path / "volumes.db")
    events = Events()
    async with runner_images(tmp_path / "images", registry.host) as images:
        yield cast(
            Services,
            SimpleNamespace(
                containers=containers,
                images=images.images,
                volumes=Volumes(tmp_path / "volumes", records, events, containers.list),
                events=events,
            ),
        )
    records.close()


async def ask(services: Services, method: str, path: str, filters: object) -> Any:
    """The document that is answered; without a version in the path, it is the newest."""
    query = Query.parse(f"all=1&filters={quote(json.dumps(filters))}")
    answer = await router(services)(Request(method, path, (0, 0), query, {}, nothing()))
    assert isinstance(answer, Response)
    return json.loads(answer.body) if isinstance(answer.body, bytes) else None


async def nothing() -> AsyncIterator[bytes]:
    for chunk in list[bytes]():
        yield chunk


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(("method", "path"), SPECIFIED)
async def test_every_specified_filter_is_understood_and_all_else_refused(
    method: str, path: str, name: str, services: Services, containers: FakeContainers
) -> None:
    offered = SPECIFIED[method, path].split()
    containers.all = (a_container(name="x"),)
    value = VALUES.get(name, "x")

    if name in offered and not (path == "/images/json" and name in ("before", "since")):
        await ask(services, method, path, {name: [value]})
        await ask(services, method, path, {name: {value: True}})
    else:
        refusal = "No such image: x" if name in offered else f"invalid filter '{name}'"
        with pytest.raises(RunnerError, match=refusal):
            await ask(services, method, path, {name: [value]})


@pytest.mark.parametrize(
    "filters",
    [
        {"dangling": []},
        {"dangling": ["maybe"]},
        {"dangling": {"true": False}},
        {"label": "x"},
        {"label": [["x"]]},
        {"label": 5},
        ["label"],
    ],
)
async def test_a_filter_without_meaning_prunes_nothing(filters: object, services: Services) -> None:
    with pytest.raises(BadRequest):
        await ask(services, "POST", "/images/prune", filters)


NOW = datetime.now(UTC)
OLD = a_container("old", created=NOW - timedelta(days=20), labels={"keep": "", "team": "blue"})
MIDDLE = a_container(
    "web-1",
    created=NOW - timedelta(days=10),
    state=State.EXITED,
    exit_code=3,
    mounts=(MountPoint("volume", "/v", "/data", volume="used"),),
)
NEW = a_container("web-2", "other", created=NOW, labels={"team": "red"}, network_mode="host")


@pytest.mark.parametrize(
    ("filters", "listed"),
    [
        ({}, "web-2 web-1 old"),
        ({"name": ["web-.*"]}, "web-2 web-1"),
        ({"name": ["^/old$"]}, "old"),
        ({"label": ["team"]}, "web-2 old"),
        ({"label": ["team=blue", "keep"]}, "old"),
        ({"ancestor": ["app"]}, "web-1 old"),
        ({"exited": ["3"]}, "web-1"),
        ({"id": [NEW.id[:8]]}, "web-2"),
        ({"network": ["host"]}, "web-2"),
        ({"status": ["exited", "dead"]}, "web-1"),
        ({"volume": ["/data"]}, "web-1"),
        ({"volume": ["used"]}, "web-1"),
        ({"before": ["web-2"]}, "web-1 old"),
        ({"since": ["web-1"]}, "web-2"),
        ({"since": [MIDDLE.id[:12]], "label": ["keep"]}, ""),
    ],
)
async def test_a_list_of_containers_shows_what_its_filters_say(
    filters: dict[str, list[str]], listed: str, services: Services, containers: FakeContainers
) -> None:
    containers.all = (NEW, MIDDLE, OLD)

    documents = await ask(services, "GET", "/containers/json", filters)

    assert [one["Names"][0][1:] for one in documents] == listed.split()


def test_a_stopped_container_bounds_a_list_of_running_ones() -> None:
    shown = select((NEW, MIDDLE, OLD), {"since": ["web-1"]}, everything=False, limit=None)

    assert shown == [NEW]


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({}, ""),
        ({"label": ["team"]}, "web-1"),
        ({"label": ["absent"]}, "web-2 web-1 old"),
        ({"label!": ["team"]}, "web-2 old"),
        ({"until": ["240h"]}, "web-2"),
        ({"until": ["300h"], "label!": ["keep"]}, "web-2 web-1 old"),
    ],
)
async def test_a_prune_of_containers_takes_only_what_its_filters_say(
    filters: dict[str, list[str]], kept: str, services: Services, containers: FakeContainers
) -> None:
    containers.all = (NEW, MIDDLE, OLD)

    await ask(services, "POST", "/containers/prune", filters)

    assert [one.name for one in containers.all] == kept.split()


@pytest.mark.parametrize(
    ("filters", "listed", "kept"),
    [
        ({}, "anonymous blue keep used", "blue keep used"),
        ({"label": ["team"]}, "blue keep", "anonymous blue keep used"),
        ({"label": ["team=blue"], "all": ["true"]}, "", "anonymous keep used"),
        ({"label!": ["team"], "all": ["1"]}, "", "blue keep used"),
        ({"label!": ["keep"], "all": ["1"]}, "", "keep used"),
        ({"all": ["false"]}, "", "blue keep used"),
        ({"dangling": ["true"]}, "anonymous blue keep", ""),
        ({"dangling": ["0"], "driver": ["local"]}, "used", ""),
        ({"driver": ["local"], "label": ["team=red"]}, "keep", ""),
        ({"driver": ["nfs"]}, "", ""),
        ({"name": ["^(blue|keep)$"]}, "blue keep", ""),
    ],
)
async def test_volumes_are_listed_and_pruned_by_their_filters(
    filters: dict[str, list[str]],
    listed: str,
    kept: str,
    services: Services,
    containers: FakeContainers,
) -> None:
    containers.all = (MIDDLE,)
    names = {(await services.volumes.create()).name: "anonymous"}
    await services.volumes.create("blue", {"team": "blue"})
    await services.volumes.create("keep", {"team": "red", "keep": ""})
    await services.volumes.create("used")

    def left(document: Any) -> list[str]:
        return sorted(names.get(one["Name"], one["Name"]) for one in document["Volumes"])

    if listed:
        assert left(await ask(services, "GET", "/volumes", filters)) == listed.split()
    if kept:
        await ask(services, "POST", "/volumes/prune", filters)
        assert left(await ask(services, "GET", "/volumes", {})) == kept.split()


@pytest.mark.parametrize(
    ("version", "filters", "kept"),
    [
        ("/v1.41", {}, []),
        ("/v1.41", {"label": ["team"]}, ["named"]),
        ("/v1.41", {"all": ["false"]}, []),
        ("/v1.42", {}, ["blue", "named"]),
        ("", {}, ["blue", "named"]),
    ],
)
async def test_a_prune_for_old_clients_takes_named_volumes_too(
    version: str, filters: dict[str, list[str]], kept: list[str], services: Services
) -> None:
    await services.volumes.create("named")
    await services.volumes.create("blue", {"team": "blue"})

    await ask(services, "POST", f"{version}/volumes/prune", filters)

    assert sorted(one.name for one in services.volumes.list()) == kept


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({}, "keep old"),
        ({"dangling": ["false"]}, ""),
        ({"dangling": ["false"], "until": ["240h"]}, "keep"),
        ({"dangling": ["false"], "label!": ["keep"]}, "keep"),
        ({"dangling": ["false"], "label": ["keep"]}, "old"),
        ({"dangling": ["false"], "label": ["keep=1"], "until": ["1h"]}, "keep old"),
    ],
)
async def test_a_prune_of_images_takes_only_what_its_filters_say(
    filters: dict[str, list[str]], kept: str, services: Services, registry: FakeRegistry
) -> None:
    labelled: dict[str, dict[str, str]] = {"old": {}, "keep": {"keep": ""}}
    for (name, labels), days in zip(labelled.items(), (20, 1), strict=True):
        created = (NOW - timedelta(days=days)).isoformat()
        registry.put(an_image(seed=name, labels=labels, created=created), name)
        await services.images.pull(f"app:{name}", progress=lambda event: None)

    await ask(services, "POST", "/images/prune", filters)

    tags = [tag for one in services.images.list() for tag in one.tags]
    assert tags == [f"app:{name}" for name in kept.split()]
