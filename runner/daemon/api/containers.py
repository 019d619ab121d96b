"""Handlers of /containers.

https://docs.docker.com/engine/api/v1.44/#tag/Container
"""

from collections.abc import AsyncGenerator
from http import HTTPStatus

from runner.daemon.api import container_documents
from runner.daemon.api.container_documents import Sizes
from runner.daemon.api.container_filters import PRUNE_FILTERS, select
from runner.daemon.api.streams import frame_stream, hijack, stream_type
from runner.daemon.http.messages import (
    HandlerResult,
    Request,
    Response,
    encode,
    json_response,
    no_content,
)
from runner.daemon.services import Services
from runner.errors import BadRequest
from runner.schema import ContainerOptions, filters
from runner.schema.times import parse_time
from runner.services.containers.containers import Condition, Container

# The exit code of a container whose exit was not observed.
_UNKNOWN_EXIT_CODE = 255


async def list_containers(services: Services, request: Request) -> HandlerResult:
    query = request.query
    chosen = select(
        services.containers.list(),
        query.filters(),
        everything=query.flag("all"),
        limit=query.integer("limit"),
    )
    documents = []
    for container in chosen:
        sizes = await measure(services, container) if query.flag("size") else None
        documents.append(container_documents.summary(container, sizes=sizes))
    return json_response(documents)


async def measure(services: Services, container: Container) -> Sizes:
    """Bytes of a container's own changes and of its image; 0 for an image that is gone."""
    written = await services.containers.changed_bytes(container.id)
    return Sizes(written, services.images.layers_bytes_of(container.image_id))


async def create(services: Services, request: Request) -> HandlerResult:
    options = ContainerOptions.from_json(await request.json())
    name = request.query.text("name").removeprefix("/") or None
    platform = request.query.text("platform") or None
    container, warnings = await services.containers.create(options, name, platform)
    document = {"Id": container.id, "Warnings": list(warnings)}
    return json_response(document, HTTPStatus.CREATED)


async def inspect(services: Services, request: Request) -> HandlerResult:
    container = services.containers.find(request.parameters["id"])
    sizes = await measure(services, container) if request.query.flag("size") else None
    return json_response(container_documents.inspection(container, sizes=sizes))


async def start(services: Services, request: Request) -> HandlerResult:
    if request.query.text("checkpoint"):
        raise BadRequest("checkpoint: starting from a checkpoint is not supported")
    await services.containers.start(request.parameters["id"])
    return no_content()


async def stop(services: Services, request: Request) -> HandlerResult:
    timeout, signal = request.query.integer("t"), request.query.text("signal") or None
    await services.containers.stop(request.parameters["id"], timeout=timeout, signal=signal)
    return no_content()


async def restart(services: Services, request: Request) -> HandlerResult:
    timeout, signal = request.query.integer("t"), request.query.text("signal") or None
    await services.containers.restart(request.parameters["id"], timeout=timeout, signal=signal)
    return no_content()


async def kill(services: Services, request: Request) -> HandlerResult:
    signal = request.query.text("signal") or "KILL"
    await services.containers.kill(request.parameters["id"], signal)
    return no_content()


async def pause(services: Services, request: Request) -> HandlerResult:
    await services.containers.pause(request.parameters["id"])
    return no_content()


async def unpause(services: Services, request: Request) -> HandlerResult:
    await services.containers.unpause(request.parameters["id"])
    return no_content()


async def rename(services: Services, request: Request) -> HandlerResult:
    name = request.query.text("name").removeprefix("/")
    await services.containers.rename(request.parameters["id"], name)
    return no_content()


async def remove(services: Services, request: Request) -> HandlerResult:
    if request.query.flag("link"):
        raise BadRequest("link: container links are not supported")
    await services.containers.remove(
        request.parameters["id"], force=request.query.flag("force"), volumes=request.query.flag("v")
    )
    return no_content()


async def prune(services: Services, request: Request) -> HandlerResult:
    matches = filters.selector(PRUNE_FILTERS, request.query.filters())
    removed, reclaimed = await services.containers.prune(matches)
    return json_response({"ContainersDeleted": list(removed), "SpaceReclaimed": reclaimed})


async def wait(services: Services, request: Request) -> HandlerResult:
    """Subscribe, send the response's head at once, and the exit code when there is one.

    The docker command starts the container only after it has read the head.
    """
    text = request.query.text("condition") or Condition.NOT_RUNNING
    try:
        condition = Condition(text)
    except ValueError as error:
        offered = ", ".join(Condition)
        raise BadRequest(f"invalid condition {text!r}: expected one of {offered}") from error
    waiter = await services.containers.wait(request.parameters["id"], condition)

    async def exited() -> AsyncGenerator[bytes, None]:
        exit_status = await waiter.result()
        # Error is only for a failed wait: clients turn it into exit code 125.
        unseen = exit_status.code == _UNKNOWN_EXIT_CODE and exit_status.error
        error = {"Message": exit_status.error} if unseen else None
        yield encode({"StatusCode": exit_status.code, "Error": error})

    async def close() -> None:
        waiter.close()

    return Response(body=exited(), close=close)


async def logs(services: Services, request: Request) -> HandlerResult:
    query = request.query
    container = services.containers.find(request.parameters["id"])
    stdout, stderr = query.flag("stdout"), query.flag("stderr")
    if not stdout and not stderr:
        raise BadRequest("Bad parameters: you must choose at least one stream")
    # "all" is the default; a negative number means the same.
    tail = None if query.text("tail") in ("", "all") else query.integer("tail")
    frames = services.streams.logs(
        container.id,
        follow=query.flag("follow"),
        stdout=stdout,
        stderr=stderr,
        tail=tail if tail is None or tail >= 0 else None,
        since=parse_time(query.text("since")),
        until=parse_time(query.text("until")),
        timestamps=query.flag("timestamps"),
    )
    tty = container.options.tty
    return Response(body=frame_stream(frames, tty=tty), content_type=stream_type(request, tty=tty))


async def attach(services: Services, request: Request) -> HandlerResult:
    query = request.query
    container = services.containers.find(request.parameters["id"])
    stdin = query.flag("stdin") and container.options.open_stdin
    streams = await services.streams.attach(
        container.id,
        stdout=query.flag("stdout"),
        stderr=query.flag("stderr"),
        stream=query.flag("stream"),
        logs=query.flag("logs"),
    )
    tty = container.options.tty
    # Clients detach from a terminal and attach again: its stdin stays open.
    ends_input = container.options.stdin_once and not tty
    return hijack(request, streams, tty=tty, stdin=stdin, ends_input=ends_input)


async def resize(services: Services, request: Request) -> HandlerResult:
    height, width = request.query.integer("h"), request.query.integer("w")
    if height is None or width is None:
        raise BadRequest("resize: expected both h and w")
    await services.streams.resize(request.parameters["id"], height, width)
    return Response()


async def top(services: Services, request: Request) -> HandlerResult:
    arguments = request.query.text("ps_args").split()
    titles, rows = await services.containers.top(request.parameters["id"], arguments)
    return json_response({"Titles": list(titles), "Processes": [list(row) for row in rows]})
