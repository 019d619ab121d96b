"""parse_signal: signals by name, with or without SIG, or by number.

https://man7.org/linux/man-pages/man7/signal.7.html
"""

import re
import signal
from collections.abc import Mapping
from typing import Final

from runner.errors import BadRequest

_NUMBERS: Final[Mapping[str, int]] = {
    one.name.removeprefix("SIG"): int(one) for one in signal.Signals
} | {"POLL": int(signal.SIGIO), "IOT": int(signal.SIGABRT), "CLD": int(signal.SIGCHLD)}
_REAL_TIME: Final = re.compile(r"RT(?:MIN(?:\+([0-9]{1,2}))?|MAX(?:-([0-9]{1,2}))?)", re.ASCII)
_HIGHEST: Final = 64
_REAL_TIME_LOWEST: Final = 34


def parse_signal(text: str) -> int:
    """The number of a signal, or BadRequest.

    >>> parse_signal("SIGTERM"), parse_signal("kill"), parse_signal("9"), parse_signal("RTMIN+3")
    (15, 9, 9, 37)
    """
    name = text.upper().removeprefix("SIG")
    if text.isascii() and text.isdigit() and len(text) <= 2 and 0 < int(text) <= _HIGHEST:
        return int(text)
    if name in _NUMBERS:
        return _NUMBERS[name]
    if match := _REAL_TIME.fullmatch(name):
        below = match[2] is not None or name == "RTMAX"
        number = _HIGHEST - int(match[2] or 0) if below else _REAL_TIME_LOWEST + int(match[1] or 0)
        if _REAL_TIME_LOWEST <= number <= _HIGHEST:
            return number
    raise BadRequest(f"invalid signal {text[:32]!r}: expected a name such as SIGTERM, or a number")
