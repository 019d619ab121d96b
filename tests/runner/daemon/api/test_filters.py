"""Every endpoint with filters, beside the specification's: each honoured, any other refused."""

import pytest

from runner.daemon.services import Services
from runner.errors import BadRequest, RunnerError
from tests.support.runner.asked import FakeContainers, ask
from tests.support.runner.containers import a_container

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
