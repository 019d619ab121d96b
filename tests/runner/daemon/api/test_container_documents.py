"""Containers as the Engine API shows them: what was asked, over what the image says."""

import json
from typing import Any

import pytest

from oci.descriptor import Platform
from oci.encoding import encode_image_config
from oci.image_config import Healthcheck, ImageConfig
from runner.daemon.api.container_documents import Sizes, inspection
from runner.schema import ContainerOptions
from runner.schema.mounts import MountKind
from runner.services.containers.container import MountPoint
from tests.support.runner.containers import a_container


def test_the_images_program_and_health_check_are_shown() -> None:
    content = encode_image_config(
        Platform("linux", "amd64"),
        [],
        healthcheck=Healthcheck(("CMD", "true"), interval=5),
        exposed_ports=("80/tcp",),
    )
    config = ImageConfig.parse(content)
    container = a_container(image_config=config, entrypoint=("/init",), command=("serve", "-v"))

    shown = inspection(container)["Config"]

    assert (shown["Entrypoint"], shown["Cmd"]) == (["/init"], ["serve", "-v"])
    assert shown["Healthcheck"] == {"Test": ["CMD", "true"], "Interval": 5}
    assert shown["ExposedPorts"] == {"80/tcp": {}}
    json.dumps(shown)


@pytest.mark.parametrize("asked", [{}, {"Test": ["NONE"]}])
def test_a_container_can_be_made_anew_from_what_is_shown_of_it(asked: dict[str, Any]) -> None:
    content = encode_image_config(
        Platform("linux", "amd64"), [], healthcheck=Healthcheck(("CMD", "true"), interval=5)
    )
    options = ContainerOptions("app", labels={"a": "b"}, memory=1 << 30, healthcheck=asked)
    container = a_container(image_config=ImageConfig.parse(content), options=options)
    shown = inspection(container)

    again = ContainerOptions.from_json({**shown["Config"], "HostConfig": shown["HostConfig"]})

    assert again.healthcheck == (asked or {"Test": ["CMD", "true"], "Interval": 5})
    assert again.memory == 1 << 30


def test_the_size_of_the_root_is_the_images_and_what_was_written() -> None:
    shown = inspection(a_container(), sizes=Sizes(5, 100))

    assert (shown["SizeRw"], shown["SizeRootFs"]) == (5, 105)


@pytest.mark.parametrize(
    ("kind", "options", "shown"),
    [
        ("bind", ("nonrecursive",), "rprivate"),
        ("bind", ("nonrecursive", "rslave"), "rslave"),
        ("bind", ("create", "shared"), "shared"),
        ("bind", (), "rprivate"),
        ("volume", ("nocopy",), ""),
        ("tmpfs", ("size=1", "nosuid"), ""),
    ],
)
def test_propagation_is_one_of_its_words(
    kind: MountKind, options: tuple[str, ...], shown: str
) -> None:
    point = MountPoint(kind, "/s", "/t", options=options)

    (document,) = inspection(a_container(mounts=(point,)))["Mounts"]

    assert document["Propagation"] == shown
