"""Handlers of /volumes: listed and pruned by their filters."""

from typing import Any

import pytest

from runner.daemon.services import Services
from tests.support.runner.asked import MIDDLE, FakeContainers, ask


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
