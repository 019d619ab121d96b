"""Containers as the services show them, without anything behind them."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oci.digest import Digest
from oci.image_config import ImageConfig
from runner.schema import ContainerOptions
from runner.services.containers.container import Container
from runner.services.containers.lifecycle import State
from tests.support.images import an_image


def a_container(name: str = "web", image: str = "app", **changed: Any) -> Container:
    """A running container of the image ``app``; its ID is its name's hash."""
    container = Container(
        id=hashlib.sha256(name.encode()).hexdigest(),
        name=name,
        created=datetime.now(UTC),
        image_id=Digest.of(image.encode()),
        options=ContainerOptions(image),
        image_config=ImageConfig.parse(an_image(seed=image).config),
        entrypoint=(),
        command=("sleep", "100"),
        path="sleep",
        args=("100",),
        env=(),
        working_dir="/",
        user="",
        labels={},
        hostname=name,
        mounts=(),
        stop_signal="SIGTERM",
        stop_timeout=10,
        network_mode="none",
        state=State.RUNNING,
        pid=1,
        exit_code=0,
        error="",
        oom_killed=False,
        started_at=datetime.now(UTC),
        finished_at=None,
        directory=Path("/nowhere"),
        log_path=Path("/nowhere/log"),
    )
    return replace(container, **changed)
