"""Handlers of /images.

https://docs.docker.com/engine/api/v1.44/#tag/Image
"""

from collections.abc import AsyncGenerator
from http import HTTPStatus

from oci.errors import OCIError
from oci.reference import Reference
from runner.credentials import Credentials, CredentialsInvalid
from runner.daemon.api import image_documents
from runner.daemon.api.progress import progress_response
from runner.daemon.http.messages import HandlerResult, Request, Response, json_response
from runner.daemon.services import Services
from runner.errors import BadRequest
from runner.schema import Progress, ProgressEvent, filters
from runner.services.images.archives.imports import ImportOptions
from runner.services.images.search import PRUNE_FILTERS

TAR = "application/x-tar"


async def list_images(services: Services, request: Request) -> HandlerResult:
    requested = request.query.filters()
    # Before 1.25 the name pattern was a separate parameter.
    if pattern := request.query.text("filter"):
        requested.setdefault("reference", []).append(pattern)
    return json_response([image_documents.summary(one) for one in services.images.list(requested)])


async def create(services: Services, request: Request) -> HandlerResult:
    """Pull (``fromImage``) or import (``fromSrc``).

    Without a tag or digest, every tag of the repository is pulled.
    """
    if request.query.text("fromSrc"):
        return await _import(services, request)
    name = request.query.text("fromImage")
    if not name:
        raise BadRequest("expected fromImage, to pull, or fromSrc, to import")
    name = _with_tag(undo_docker_prefix(request, name), request.query.text("tag"))
    pull_some = services.images.pull if _has_tag_or_digest(name) else services.images.pull_all
    platform = request.query.text("platform") or None
    credentials = _credentials(services, request, name)

    async def pull(progress: Progress) -> tuple[ProgressEvent, ...]:
        await pull_some(name, platform=platform, credentials=credentials, progress=progress)
        return ()

    return await progress_response(pull)


async def _import(services: Services, request: Request) -> HandlerResult:
    query = request.query
    if query.text("fromSrc") != "-":
        raise BadRequest("fromSrc: only '-' is supported: send the archive as the body")
    repository = undo_docker_prefix(request, query.text("repo"))
    options = ImportOptions(
        name=_with_tag(repository, query.text("tag")) if repository else None,
        message=query.text("message"),
        changes=tuple(query.all("changes")),
        platform=query.text("platform") or None,
    )

    async def import_(progress: Progress) -> tuple[ProgressEvent, ...]:
        await services.images.import_(request.body, options, progress)
        return ()

    return await progress_response(import_)


async def load(services: Services, request: Request) -> HandlerResult:
    quiet = request.query.flag("quiet")

    async def ingest_image(progress: Progress) -> tuple[ProgressEvent, ...]:
        await services.images.load(
            request.body, _without_progress_bars(progress) if quiet else progress
        )
        return ()

    return await progress_response(ingest_image)


async def save(services: Services, request: Request) -> HandlerResult:
    """One image (``/images/{name}/get``) or several (``?names=…``) as one archive."""
    named = request.parameters.get("name")
    names = [
        undo_docker_prefix(request, name) for name in ([named] if named else _image_names(request))
    ]
    stream = services.images.save(names)

    async def body() -> AsyncGenerator[bytes, None]:
        async for chunk in stream:
            yield chunk

    return Response(body=body(), content_type=TAR)


async def inspect(services: Services, request: Request) -> HandlerResult:
    return json_response(image_documents.inspection(services.images.inspect(_image_name(request))))


async def history(services: Services, request: Request) -> HandlerResult:
    steps = services.images.history(_image_name(request))
    return json_response([image_documents.history_item(step) for step in steps])


async def push(services: Services, request: Request) -> HandlerResult:
    tag = request.query.text("tag")
    name = _with_tag(_image_name(request), tag)
    credentials = _credentials(services, request, name)

    async def send(progress: Progress) -> tuple[ProgressEvent, ...]:
        await services.images.push(
            name, all_tags=not tag, credentials=credentials, progress=progress
        )
        return ()

    return await progress_response(send)


async def tag(services: Services, request: Request) -> HandlerResult:
    repository = request.query.text("repo")
    if not repository:
        raise BadRequest("expected repo, the new name")
    target = _with_tag(undo_docker_prefix(request, repository), request.query.text("tag"))
    await services.images.tag(_image_name(request), target)
    return Response(HTTPStatus.CREATED)


async def remove(services: Services, request: Request) -> HandlerResult:
    force = request.query.flag("force")
    removed = await services.images.remove(_image_name(request), force=force)
    return json_response([image_documents.deletion(item) for item in removed])


async def prune(services: Services, request: Request) -> HandlerResult:
    requested = request.query.filters()
    filters.check_names(requested, ("dangling", *PRUNE_FILTERS))
    everything = "dangling" in requested and not filters.parse_boolean(
        "dangling", requested.pop("dangling")
    )
    matches = filters.selector(PRUNE_FILTERS, requested)
    removed, reclaimed = await services.images.prune(matches, everything=everything)
    deleted = [image_documents.deletion(item) for item in removed]
    return json_response({"ImagesDeleted": deleted, "SpaceReclaimed": reclaimed})


def undo_docker_prefix(request: Request, name: str) -> str:
    """The name as the user typed it.

    In some requests docker's command adds docker.io/ (and library/) to a name without a host;
    here such a name belongs to the default registry (docs/decisions/0009).
    """
    if not request.headers.get("user-agent", "").startswith("Docker-Client/"):
        return name
    bare = name.removeprefix("docker.io/")
    official = bare.removeprefix("library/")
    return bare if "/" in official else official


def _image_name(request: Request) -> str:
    return undo_docker_prefix(request, request.parameters["name"])


def _image_names(request: Request) -> list[str]:
    names = [name for text in request.query.all("names") for name in text.split(",") if name]
    if not names:
        raise BadRequest("expected names, the images to save")
    return names


def _has_tag_or_digest(name: str) -> bool:
    """Whether a name has a tag or a digest."""
    return "@" in name or ":" in name.rpartition("/")[2]


def _with_tag(name: str, tag: str) -> str:
    if not tag:
        return name
    return f"{name}@{tag}" if ":" in tag else f"{name}:{tag}"


def _credentials(services: Services, request: Request, name: str) -> Credentials | None:
    """The client's credentials, if they are for the registry of this name."""
    header = request.headers.get("x-registry-auth", "")
    try:
        host = Reference.parse(name, default_host=services.settings.default_registry).host
        return Credentials.from_header(header, host) or None
    except OCIError:
        return None  # the service will refuse the name
    except CredentialsInvalid as error:
        raise BadRequest(str(error)) from error


def _without_progress_bars(progress: Progress) -> Progress:
    """Drop progress items; with ``quiet``, load still reports the loaded images."""

    def report(item: ProgressEvent) -> None:
        if item.stream is not None:
            progress(item)

    return report
