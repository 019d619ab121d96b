"""images, tag, rmi, history."""

import sys
from datetime import UTC, datetime
from typing import Any

from runner.cli.arguments import Arguments, Parser
from runner.cli.error_hints import error_message
from runner.cli.output import Column, filters_json, format_list, list_options
from runner.client import DaemonClient, DaemonRefused
from runner.schema.humanize import human_duration, human_size

Line = dict[str, Any]

_NONE = "<none>"


def split_reference(reference: str) -> tuple[str, str | None]:
    """Split ``host/name:tag`` into name and tag; a digest stays with the name."""
    if "@" in reference:
        return reference, None
    name, colon, tag = reference.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (reference, None)


def _images_arguments(parser: Parser) -> None:
    parser.flag("-a", "--all", help="list unnamed images too")
    parser.flag("--digests", help="show digests")
    list_options(parser)
    parser.argument("repository", nargs="?", help="list only this repository")


def _images(daemon: DaemonClient, args: Arguments) -> int:
    filters = list(args.filter)
    if args.repository:
        filters.append(f"reference={args.repository}")
    found = daemon.list_images(all="1" if args.all else None, filters=filters_json(filters))
    rows = [line for image in found for line in _lines(image)]
    columns = _columns(truncate=not args.no_trunc)
    shown = ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]
    if args.digests:
        shown.append("DIGEST")
    quiet = next(column for column in columns if column.name == "ID") if args.quiet else None
    sys.stdout.write(format_list(columns, rows, shown=shown, format=args.format, quiet=quiet))
    return 0


def _lines(image: dict[str, Any]) -> list[Line]:
    """One line for each of an image's names, as docker lists them."""
    digests = {
        text.partition("@")[0]: text.partition("@")[2] for text in image["RepoDigests"] or ()
    }
    lines = []
    for reference in image["RepoTags"] or ():
        name, tag = split_reference(reference)
        lines.append(
            {**image, "Repository": name, "Tag": tag or _NONE, "Digest": digests.get(name)}
        )
    if not lines:
        named = list(digests.items()) or [(_NONE, None)]
        lines = [{**image, "Repository": n, "Tag": _NONE, "Digest": d} for n, d in named]
    return lines


def _columns(*, truncate: bool) -> list[Column]:
    def identity(line: Line) -> str:
        text = str(line["Id"])
        return text.removeprefix("sha256:")[:12] if truncate else text

    return [
        Column("REPOSITORY", lambda line: str(line["Repository"]), "Repository"),
        Column("TAG", lambda line: str(line["Tag"]), "Tag"),
        Column("DIGEST", lambda line: str(line["Digest"] or _NONE), "Digest"),
        Column("IMAGE ID", identity, "ID"),
        Column("CREATED", _ago, "CreatedSince"),
        Column("CREATED AT", _created_at, "CreatedAt"),
        Column("SIZE", lambda line: human_size(line["Size"], 3), "Size"),
        Column("CONTAINERS", lambda line: str(line["Containers"]), "Containers"),
    ]


def _ago(line: Line) -> str:
    if not line["Created"]:
        return "N/A"
    return f"{human_duration(datetime.now(UTC).timestamp() - line['Created'])} ago"


def _created_at(line: Line) -> str:
    return datetime.fromtimestamp(line["Created"], UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


def _tag_arguments(parser: Parser) -> None:
    parser.argument("source_image")
    parser.argument("target_image")


def _tag(daemon: DaemonClient, args: Arguments) -> int:
    repository, tag = split_reference(args.target_image)
    daemon.tag_image(args.source_image, repository, tag)
    return 0


def _rmi_arguments(parser: Parser) -> None:
    parser.flag("-f", "--force", help="remove it even if stopped containers use it")
    parser.argument("image", nargs="+")


def _rmi(daemon: DaemonClient, args: Arguments) -> int:
    code = 0
    for name in args.image:
        try:
            removed = daemon.remove_image(name, force=args.force)
        except DaemonRefused as error:
            if args.force and error.status == 404:
                continue
            sys.stderr.write(error_message(str(error), kind=error.kind))
            code = 1
            continue
        for item in removed:
            word = "Untagged" if "Untagged" in item else "Deleted"
            sys.stdout.write(f"{word}: {item[word]}\n")
    return code


def _history_arguments(parser: Parser) -> None:
    parser.flag("-q", "--quiet", help="print only IDs")
    parser.flag("--no-trunc", help="do not truncate output")
    parser.option("--format", metavar="FORMAT", help="table, json, or a template: '{{.ID}}'")
    parser.argument("image")


def _history(daemon: DaemonClient, args: Arguments) -> int:
    def created_by(line: Line) -> str:
        text = str(line["CreatedBy"]).replace("\t", " ")
        return text if args.no_trunc or len(text) <= 45 else text[:44] + "…"

    def identity(line: Line) -> str:
        text = str(line["Id"])
        return text if args.no_trunc else text.removeprefix("sha256:")[:12]

    columns = [
        Column("IMAGE", identity, "ID"),
        Column("CREATED", _ago, "CreatedSince"),
        Column("CREATED BY", created_by, "CreatedBy"),
        Column("SIZE", lambda line: human_size(line["Size"], 3), "Size"),
        Column("COMMENT", lambda line: str(line["Comment"]), "Comment"),
    ]
    rows = daemon.image_history(args.image)
    shown = [column.title for column in columns]
    quiet = columns[0] if args.quiet else None
    sys.stdout.write(format_list(columns, rows, shown=shown, format=args.format, quiet=quiet))
    return 0


COMMANDS = {
    "images": (_images_arguments, _images),
    "tag": (_tag_arguments, _tag),
    "rmi": (_rmi_arguments, _rmi),
    "history": (_history_arguments, _history),
}
