"""Readiness: its conditions, and the failing jobs that it names."""

import asyncio
import json
from pathlib import Path

import pytest
import structlog

from registry.app import build_application
from registry.background import BackgroundTasks
from registry.config import LogSettings, Settings, StorageSettings
from registry.storage.disk.root import Root
from tests.registry.api.conftest import client_of
from tests.support.registry.schema import upgrade
from tests.support.registry.wire import lived


async def readiness(root: Path, background: BackgroundTasks) -> tuple[int, object]:
    settings = Settings(storage=StorageSettings(root), logs=LogSettings(requests=False))
    with Root.open(root) as opened:
        upgrade(opened.database)
        async with lived(build_application(settings, opened, background)) as application:
            answer = await client_of(application).get("/readyz")
    return answer.status_code, json.loads(answer.content)


async def test_a_background_task_that_is_down_makes_it_not_ready(root: Path) -> None:
    background = BackgroundTasks(restart_seconds=3600)

    async def fails() -> None:
        raise LookupError

    with structlog.testing.capture_logs():
        async with background.running("deadlines", fails):
            await asyncio.sleep(0)
            found = await readiness(root, background)

    assert found == (503, {"status": "not ready", "reason": "background task failed: deadlines"})


async def test_a_job_that_failed_is_named_and_nothing_more(root: Path) -> None:
    background = BackgroundTasks()
    background.job_failed("gc")

    assert await readiness(root, background) == (200, {"status": "ready", "failing": ["gc"]})

    background.job_succeeded("gc")
    assert await readiness(root, background) == (200, {"status": "ready"})


@pytest.mark.parametrize("name", ["uploads", "blobs", "blobs/7f"])
async def test_a_directory_that_is_removed_makes_it_not_ready(root: Path, name: str) -> None:
    settings = Settings(storage=StorageSettings(root), logs=LogSettings(requests=False))
    with Root.open(root) as opened:
        upgrade(opened.database)
        async with lived(build_application(settings, opened, BackgroundTasks())) as application:
            client = client_of(application)
            assert (await client.get("/readyz")).status_code == 200

            (root / name).rename(root.with_name("elsewhere"))

            for _ in range(600):  # the directories are looked at once a second
                answer = await client.get("/readyz")
                if answer.status_code != 200:
                    break
                await asyncio.sleep(0.05)

    assert json.loads(answer.content) == {
        "status": "not ready",
        "reason": f"the directory {name} of the storage root is missing",
    }
