"""LogOptions: the options of docker's json-file log driver.

https://docs.docker.com/engine/logging/drivers/json-file/
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from runner.errors import BadRequest
from runner.schema import fields

DRIVER: Final = "json-file"
DEFAULT_FILE_BYTES: Final = 20_000_000
DEFAULT_FILES: Final = 3
# No file grows so large; the monitor is given four times as much, and reads 64 bits.
_MAX_FILE_BYTES: Final = 1 << 60

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)b?", re.ASCII | re.IGNORECASE)
_UNITS: Final = {unit: 1000**power for power, unit in enumerate(("", "k", "m", "g", "t", "p"))}

# Accepted only with the value that is in effect anyway.
_ONLY: Final[Mapping[str, str]] = {"compress": "false", "mode": "blocking"}


@dataclass(frozen=True, slots=True)
class LogOptions:
    """``file_bytes`` is the size at which the log is rotated, ``files`` the most files kept."""

    file_bytes: int = DEFAULT_FILE_BYTES
    files: int = DEFAULT_FILES

    @classmethod
    def parse(cls, options: Mapping[str, str]) -> Self:
        """Parse the driver's options; BadRequest names an unknown or invalid one."""
        for name, value in options.items():
            if name not in _ONLY and name not in ("max-size", "max-file"):
                raise BadRequest(f"unknown log opt {name!r} for {DRIVER} log driver")
            if name in _ONLY and value != _ONLY[name]:
                raise BadRequest(f"log opt {name}: {value!r} is not offered, only {_ONLY[name]!r}")
        size, files = options.get("max-size"), options.get("max-file")
        return cls(
            DEFAULT_FILE_BYTES if size is None else _size(size),
            DEFAULT_FILES if files is None else _files(files),
        )


def log_options(host_config: Mapping[str, Any]) -> dict[str, str]:
    """``LogConfig.Config`` of a create body, checked; BadRequest also for another driver."""
    config = fields.mapping(host_config, "LogConfig")
    driver = fields.text(config, "Type")
    if driver not in ("", DRIVER):
        raise BadRequest(f"log driver {driver!r} is not offered: expected {DRIVER!r}")
    options = fields.string_map(config, "Config")
    LogOptions.parse(options)
    return options


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    size = int(float(match[1]) * _UNITS[match[2].lower()]) if match and len(text) < 20 else 0
    if size <= 0:
        raise BadRequest(f"log opt max-size: expected a positive size such as 10m, found {text!r}")
    return min(size, _MAX_FILE_BYTES)


def _files(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) > 0):
        raise BadRequest(f"log opt max-file: expected a number from 1 to 99999, found {text!r}")
    return int(text)
