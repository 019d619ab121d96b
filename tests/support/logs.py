"""Logs of tests: tracebacks as Python prints them."""

import structlog


def use_plain_logs() -> None:
    """Log without rich, which structlog takes for tracebacks unless it is told otherwise.

    It prints the variables of each frame, and theirs: one failure took up to 25 s of CPU.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )
