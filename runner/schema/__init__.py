"""JSON documents of the Engine API, as dataclasses.

https://docs.docker.com/engine/api/v1.44/
"""

from runner.schema.exec_options import ExecOptions
from runner.schema.mounts import MountOption
from runner.schema.options import ContainerOptions, Ulimit
from runner.schema.progress import Progress, ProgressEvent, PushedManifest

__all__ = [
    "ContainerOptions",
    "ExecOptions",
    "MountOption",
    "Progress",
    "ProgressEvent",
    "PushedManifest",
    "Ulimit",
]
