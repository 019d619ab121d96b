"""Handlers of /images: a prune takes what its filters say."""

from datetime import timedelta

import pytest

from runner.daemon.services import Services
from tests.support.images import an_image
from tests.support.runner.asked import NOW, ask
from tests.support.runner.fake_registry import FakeRegistry


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
