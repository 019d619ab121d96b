"""Specs made of options, on a host that has everything."""

from pathlib import Path
from typing import Any

from oci.image_config import ImageConfig
from runner.runtime.oci_spec.host import Host
from runner.runtime.oci_spec.seccomp import default_profile
from runner.runtime.oci_spec.spec import (
    Placement,
    runtime_spec,
)
from runner.runtime.oci_spec.users import User
from runner.schema import ContainerOptions
from tests.runner.runtime.conftest import an_image

HOST = Host(cpus=2, seccomp_profile=default_profile())
PLACE = Placement("c" * 64, "box", Path("/r"), User(), Path("/f"), "/slipway/c")


def asked(**options: Any) -> ContainerOptions:
    options.setdefault("command", ("run",))
    return ContainerOptions(image="test", **options)


def spec(host: Host = HOST, image: ImageConfig | None = None, **options: Any) -> Any:
    return runtime_spec(image or an_image(), asked(**options), PLACE, host)
