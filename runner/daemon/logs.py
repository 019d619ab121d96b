"""The daemon's log: one line per event on stderr, the same form for structlog and logging.

Services and storage log through structlog, the daemon through the standard library; both
have the same level.
"""

import logging
import sys
from typing import TextIO

import structlog

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure_logs(level: str, stream: TextIO | None = None) -> None:
    """Log events of ``level`` and above to ``stream`` (default: stderr)."""
    logging.basicConfig(
        level=level.upper(), stream=stream or sys.stderr, format=_FORMAT, force=True
    )
    # They log whole URLs, and a redirect's URL may be signed: a credential.
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.processors.format_exc_info, _line],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _line(logger: object, method: str, event: structlog.typing.EventDict) -> str:
    """``the event: key=value key=value``, and the traceback of an exception below it."""
    message, traceback = str(event.pop("event", "")), event.pop("exception", "")
    pairs = " ".join(f"{key}={_value(value)}" for key, value in event.items())
    line = f"{message}: {pairs}" if pairs else message
    return f"{line}\n{traceback}" if traceback else line


def _value(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and not any(character in text for character in " =\"'")
    return text if text and plain else repr(text)
