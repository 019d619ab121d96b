"""JSON documents of the Engine API, as dataclasses."""

from runner.schema.mounts import MountOption
from runner.schema.options import ContainerOptions, ExecOptions, Ulimit
from runner.schema.progress import ProgressEvent

__all__ = ["ContainerOptions", "ExecOptions", "MountOption", "ProgressEvent", "Ulimit"]
