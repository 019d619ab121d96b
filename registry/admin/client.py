"""Control client: send a command to the control socket of a running server."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from registry.admin.command import Document
from registry.admin.control import socket_path
from registry.errors import Absent, CommandRefused, Conflict, Invalid

# The refusals that a command's exit status tells apart, by the name that the server sends.
REFUSALS = {each.__name__: each for each in (Invalid, Absent, Conflict)}


class NotRunning(Exception):
    """No server listens in this root."""


def send_command(root: Path, command: str, arguments: dict[str, Any]) -> Iterator[Document]:
    """Have the server of this root run a command; yields its documents as they arrive.

    Raises NotRunning if there is no server, CommandRefused if it refuses.
    """
    with connect(root) as connection, connection.makefile("rb") as answers:
        request = {"command": command, "arguments": arguments}
        connection.sendall(json.dumps(request).encode() + b"\n")
        received = 0
        for line in answers:
            if not line.endswith(b"\n"):
                break  # killed in the middle of a line
            received += 1
            document: Document = json.loads(line)
            if document.get("done") is True:
                return
            if "refused" in document:
                raise REFUSALS.get(document.get("kind", ""), CommandRefused)(document["refused"])
            yield document
    raise CommandRefused(
        f"the server closed the control socket after {received} lines, "
        "expected the command's end or its refusal"
    )


def connect(root: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connection.connect(socket_path(directory))
        finally:
            os.close(directory)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        raise NotRunning from None
    except BaseException:
        connection.close()
        raise
    return connection
