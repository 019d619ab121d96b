"""The daemon's log: one form and one level for structlog and the standard library."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from runner.daemon.logs import configure_logs
from tests.support.logs import use_plain_logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    use_plain_logs()
    logging.basicConfig(handlers=handlers, level=level, force=True)


@pytest.mark.parametrize(
    ("level", "said"), [("debug", "dwe"), ("info", "we"), ("warning", "we"), ("error", "e")]
)
def test_both_kinds_of_loggers_keep_to_the_level(level: str, said: str) -> None:
    stream = io.StringIO()
    structured, plain = structlog.get_logger(), logging.getLogger("runner.daemon.http.server")

    configure_logs(level, stream)
    for log in (structured, plain):
        log.debug("d")
        log.warning("w")
        log.error("e")

    words = [line.rpartition(" ")[2] for line in stream.getvalue().splitlines()]
    assert "".join(words) == said * 2


def test_a_line_has_the_time_the_level_the_module_and_every_value() -> None:
    stream = io.StringIO()

    configure_logs("info", stream)
    structlog.get_logger().warning("not removed", path="/a b", error="100% full", count=3)

    time, _, rest = stream.getvalue().partition(" WARNING ")
    assert len(time) == len("2026-11-21 09:00:00,000")
    assert rest == f"{__name__}: not removed: path='/a b' error='100% full' count=3\n"


def test_an_exception_is_told_with_its_traceback() -> None:
    stream = io.StringIO()

    configure_logs("info", stream)
    try:
        raise OSError("a failing disk")
    except OSError:
        structlog.get_logger().exception("container not put away", container="c1")

    assert "ERROR" in stream.getvalue()
    assert "container not put away: container=c1\nTraceback" in stream.getvalue()
    assert stream.getvalue().endswith("OSError: a failing disk\n")


def test_a_line_break_in_a_value_does_not_begin_a_line() -> None:
    stream = io.StringIO()

    configure_logs("info", stream)
    structlog.get_logger().info("pulled", name="a\n2026-11-21 INFO forged")

    assert len(stream.getvalue().splitlines()) == 1
