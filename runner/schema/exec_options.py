"""ExecOptions: another process in a running container; the body of POST /containers/{id}/exec.

Engine API, ``ExecConfig``.
https://docs.docker.com/engine/api/v1.44/#tag/Exec/operation/ContainerExec
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from runner.errors import BadRequest
from runner.schema import fields, host

# Detach is repeated at start, and Container is in the path: old clients send them here too.
_EXEC_FIELDS = (
    "AttachStderr", "AttachStdin", "AttachStdout", "Cmd", "ConsoleSize", "Container", "Detach",
    "DetachKeys", "Env", "Privileged", "Tty", "User", "WorkingDir",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExecOptions:
    """The body of ``POST /containers/{id}/exec``."""

    command: tuple[str, ...]
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    tty: bool = False
    privileged: bool = False
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach_keys: str = ""
    console_size: tuple[int, int] | None = None

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        command = fields.strings(document, "Cmd")
        if not command:
            raise BadRequest("No exec command specified")
        fields.refuse_unknown(document, _EXEC_FIELDS)
        return cls(
            command=command,
            env=fields.strings(document, "Env"),
            working_dir=fields.text(document, "WorkingDir"),
            user=fields.text(document, "User"),
            tty=fields.boolean(document, "Tty"),
            privileged=fields.boolean(document, "Privileged"),
            attach_stdin=fields.boolean(document, "AttachStdin"),
            attach_stdout=fields.boolean(document, "AttachStdout"),
            attach_stderr=fields.boolean(document, "AttachStderr"),
            detach_keys=fields.text(document, "DetachKeys"),
            console_size=host.console_size(document, "ConsoleSize"),
        )
