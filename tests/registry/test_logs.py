"""Logs: machine-readable lines, without secrets, cheap enough for every request."""

import io
import json
import logging

import pytest
import structlog

from registry.logs import MAX_TEXT, RequestLine, RequestLog, configure_logs
from tests.support.calls import count_calls

LINE = RequestLine("abc", "127.0.0.1", "GET", "/v2/a/manifests/b", 200, 1234, "a", "b")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def restore() -> None:
    configure_logs("json", "info")


def test_a_request_is_one_json_line() -> None:
    stream = io.StringIO()

    RequestLog("auto", stream).write(LINE, 0.0123456)

    document = json.loads(stream.getvalue())
    assert document.pop("time").endswith("Z")
    assert document == {
        "level": "info",
        "event": "request",
        "request_id": "abc",
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/v2/a/manifests/b",
        "status": 200,
        "bytes": 1234,
        "duration_ms": 12.346,
        "repository": "a",
        "reference": "b",
    }


def test_a_standard_logger_tells_its_extra_too_and_no_secret() -> None:
    stream = io.StringIO()
    configure_logs("json", "info", stream)

    extra = {"reason": "no room", "cookie": "hunter2"}
    logging.getLogger("registry.storage.disk.free_space").warning(
        "uploads are refused", extra=extra
    )

    document = json.loads(stream.getvalue())
    assert document["reason"] == "no room"
    assert document["cookie"] == "(not shown)"


def test_a_person_at_a_terminal_reads_columns() -> None:
    stream = Terminal()

    RequestLog("auto", stream).write(LINE, 0.0123)

    assert "200 GET    /v2/a/manifests/b  1234 bytes  12.3 ms  abc\n" in stream.getvalue()


@pytest.mark.parametrize("format_", ["json", "console"])
@pytest.mark.parametrize("text", ["\n", "\r\n", "\x1b[2J", '"', "\\", "\x00", "\u2028", "\ud800"])
def test_a_hostile_path_stays_in_its_line(format_: str, text: str) -> None:
    stream = io.StringIO()
    line = RequestLine("abc", "127.0.0.1", "GET", f"/{text}", 404, 0, text, text)
    log = RequestLog("json" if format_ == "json" else "console", stream)

    log.write(line, 0.001)

    written = stream.getvalue()
    assert len(written.splitlines()) == 1
    assert "\x1b" not in written
    assert "\x00" not in written


def test_a_long_path_is_cut() -> None:
    stream = io.StringIO()

    RequestLog("json", stream).write(RequestLine("a", "b", "GET", "/" + "x" * 10_000), 0.001)

    assert len(json.loads(stream.getvalue())["path"]) == MAX_TEXT


def test_a_closed_log_stops_no_request() -> None:
    RequestLog("json", Closed()).write(LINE, 0.001)


def test_lg_1_values_with_the_names_of_secrets_are_not_shown() -> None:
    stream = io.StringIO()
    configure_logs("json", "info", stream)
    secrets = dict.fromkeys(("password", "Authorization", "api_token", "Cookie"), "hunter2")

    structlog.get_logger().info("login", **secrets, user="me")

    document = json.loads(stream.getvalue())
    assert "hunter2" not in stream.getvalue()
    assert document["user"] == "me"


def test_the_standard_librarys_loggers_write_the_same_lines() -> None:
    stream = io.StringIO()
    configure_logs("json", "info", stream)

    logging.getLogger("uvicorn.error").error("it broke: %s", "why")

    document = json.loads(stream.getvalue())
    assert (document["event"], document["level"]) == ("it broke: why", "error")


def test_less_important_lines_are_left_out() -> None:
    stream = io.StringIO()
    configure_logs("json", "warning", stream)

    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_a_line_costs_a_handful_of_calls() -> None:
    log = RequestLog("json", io.StringIO())
    log.write(LINE, 0.001)

    # It was 18 calls when a line took some 10 microseconds.
    assert count_calls(lambda: log.write(LINE, 0.001)) < 30
