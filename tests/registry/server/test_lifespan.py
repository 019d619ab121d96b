"""Lifespan: a failure at the start ends the server, later ones are logged with their reason."""

import asyncio
import logging
from typing import Any

import pytest

from registry.background import BackgroundTasks
from registry.errors import StartupError
from registry.server import ApplicationFailed, Server, listen
from registry.server.lifespan import Lifespan
from tests.support.registry.settings import default_limits


def serve(app: Any) -> None:
    Server(app, listen("127.0.0.1", 0), limits=default_limits(), background=BackgroundTasks()).run()


def test_an_application_that_cannot_start_is_reported() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = {"type": "lifespan.startup.failed", "message": "the disk is gone"}
        await receive()
        await send(message)

    with pytest.raises(ApplicationFailed, match="could not start: the disk is gone"):
        serve(app)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StartupError("storage root /x: is a link"), "storage root /x: is a link"),
        (
            NotADirectoryError(20, "Not a directory", "blobs"),
            "the registry could not start: blobs: Not a directory",
        ),
        (
            LookupError("a bug\nof two lines"),
            "the registry could not start: LookupError: a bug of two lines",
        ),
    ],
)
def test_whatever_an_application_raises_at_its_start_ends_the_server_in_one_sentence(
    error: Exception, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise error

    with pytest.raises(ApplicationFailed) as refused:
        serve(app)

    assert str(refused.value) == sentence
    assert refused.value.__cause__ is error
    assert caplog.text == ""


async def test_an_end_before_the_stop_is_logged_with_its_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failure, has_started = LookupError("the disk went away"), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await has_started.wait()
        raise failure

    lifespan = Lifespan(app)
    await lifespan.start()
    has_started.set()
    await asyncio.wait([task for task in asyncio.all_tasks() if task.get_name() == "lifespan"])
    await lifespan.stop()

    [record] = caplog.records
    assert record.message == "the application's lifespan ended early"
    assert record.exc_info is not None
    assert record.exc_info[1] is failure


async def test_a_failure_while_stopping_is_logged_with_its_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failure = OSError("the log cannot be closed")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise failure

    lifespan = Lifespan(app)
    await lifespan.start()
    await lifespan.stop()

    [record] = caplog.records
    assert (record.levelno, record.message) == (
        logging.ERROR,
        "the application failed while stopping",
    )
    assert record.exc_info is not None
    assert record.exc_info[1] is failure


async def test_a_failed_shutdown_that_gives_its_reason_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "the log is not written"})

    lifespan = Lifespan(app)
    await lifespan.start()
    await lifespan.stop()

    assert "the log is not written" in caplog.text


async def test_an_orderly_life_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(2):
            message = await receive()
            await send({"type": f"{message['type']}.complete"})

    lifespan = Lifespan(app)
    await lifespan.start()
    await lifespan.stop()

    assert caplog.messages == []
