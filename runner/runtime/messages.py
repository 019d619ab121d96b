"""Messages of a runtime → one plain sentence, and the error class it stands for."""

import re
from typing import Final

from runner.runtime.errors import (
    CommandNotExecutable,
    CommandNotFound,
    ContainerUnknown,
    NotRunning,
    RuntimeRefused,
)

# logrus: time="…" level=error msg="runc create failed: …"
_LOGRUS: Final = re.compile(r'level=(?:error|fatal) msg="((?:[^"\\]|\\.)*)"')
_LOGRUS_BARE: Final = re.compile(r"level=(?:error|fatal) msg=(\S+)")
_WRAPPINGS: Final = re.compile(
    r"^(?:runc (?:create|run|exec) failed|exec failed|unable to start container process"
    r"|container_linux\.go:\d+|OCI runtime error): "
)

# The first match wins.  Docker's command looks for the same words.
_KINDS: Final[tuple[tuple[str, type[RuntimeRefused]], ...]] = (
    ("executable file not found", CommandNotFound),
    ("container does not exist", ContainerUnknown),
    ("does not exist", ContainerUnknown),
    ("exec: ", CommandNotFound),
    ("container not running", NotRunning),
    ("process already finished", NotRunning),
    ("is not running", NotRunning),
    ("cannot exec in a stopped container", NotRunning),
    ("cannot start a container that has stopped", NotRunning),
    ("cannot start an already running container", NotRunning),
    ("not in the running state", NotRunning),
    ("container not paused", NotRunning),
)
_NOT_EXECUTABLE: Final = ("permission denied", "is a directory", "exec format error")


def sentence(text: str) -> str:
    """The last message, without the logger's format and the runtime's prefixes.

    >>> sentence('time="now" level=error msg="runc create failed: no \\\\"cgroup\\\\""')
    'no "cgroup"'
    """
    found = [*_LOGRUS.findall(text)] or _LOGRUS_BARE.findall(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    message = _unquoted(found[-1]) if found else (lines[-1] if lines else "")
    while match := _WRAPPINGS.match(message):
        message = message[match.end() :]
    return message.replace("\n", " ") or "the runtime failed and did not say why"


def refusal(text: str) -> RuntimeRefused:
    """The error for the runtime's message."""
    message = sentence(text)
    kind = next((kind for words, kind in _KINDS if words in message), RuntimeRefused)
    if "exec: " in message and any(words in message for words in _NOT_EXECUTABLE):
        kind = CommandNotExecutable
    return kind(message)


def _unquoted(text: str) -> str:
    return text.replace('\\"', '"').replace("\\n", " ").replace("\\t", " ").replace("\\\\", "\\")
