"""Handlers of /exec and /containers/{id}/exec.

https://docs.docker.com/engine/api/v1.44/#tag/Exec
"""

from http import HTTPStatus

from runner.daemon.api.streams import hijack
from runner.daemon.http.messages import HandlerResult, Request, Response, json_response
from runner.daemon.services import Services
from runner.errors import BadRequest
from runner.schema import ExecOptions
from runner.schema.host import console_size
from runner.services.execs import Exec


async def create(services: Services, request: Request) -> HandlerResult:
    options = ExecOptions.from_json(await request.json())
    exec_id = await services.execs.create(request.parameters["id"], options)
    return json_response({"Id": exec_id}, HTTPStatus.CREATED)


async def start(services: Services, request: Request) -> HandlerResult:
    document = await request.json()
    found = services.execs.find(request.parameters["id"])
    detach = document.get("Detach") is True
    streams = await services.execs.start(found.id, detach=detach)
    if streams is None:
        return Response()
    size = console_size(document, "ConsoleSize") or found.options.console_size
    if found.options.tty and size is not None:
        await services.execs.resize(found.id, *size)
    # Create decides on a terminal; Tty here only selects the output's framing.
    tty = document.get("Tty") is True
    return hijack(request, streams, tty=tty, stdin=found.options.attach_stdin)


async def resize(services: Services, request: Request) -> HandlerResult:
    height, width = request.query.integer("h"), request.query.integer("w")
    if height is None or width is None:
        raise BadRequest("resize: expected both h and w")
    await services.execs.resize(request.parameters["id"], height, width)
    return Response()


async def inspect(services: Services, request: Request) -> HandlerResult:
    return json_response(_document(services.execs.find(request.parameters["id"])))


def _document(found: Exec) -> dict[str, object]:
    options = found.options
    return {
        "ID": found.id,
        "Running": found.running,
        "ExitCode": found.exit_code,
        "ProcessConfig": {
            "tty": options.tty,
            "entrypoint": options.command[0],
            "arguments": list(options.command[1:]),
            "privileged": options.privileged,
            "user": options.user,
        },
        "OpenStdin": options.attach_stdin,
        "OpenStderr": options.attach_stderr,
        "OpenStdout": options.attach_stdout,
        "CanRemove": False,
        "ContainerID": found.container,
        "DetachKeys": "",
        "Pid": found.pid,
    }
