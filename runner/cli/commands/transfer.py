"""pull, push, import, save, load."""

import os
import sys
from collections.abc import Iterable, Iterator

from oci.errors import OCIError
from oci.reference import Reference
from runner.cli.arguments import Arguments, Parser, UsageError
from runner.cli.commands.images import split_reference
from runner.cli.progress import show
from runner.client import DaemonClient
from runner.credentials import CredentialStore

_READ_BYTES = 1024 * 1024


# A placeholder (RFC 2606) for the default registry, which only the daemon knows.
_DEFAULT_HOST = "default.invalid"


def credentials_for(daemon: DaemonClient, reference: str) -> str | None:
    """The X-Registry-Auth header for the reference's registry, or None without credentials.

    Parses the reference exactly as the daemon does: another grammar could send one host's
    credentials to another.
    """
    try:
        parsed = Reference.parse(reference, default_host=_DEFAULT_HOST)
    except OCIError:
        return None  # the daemon will refuse the reference
    host, repository = parsed.host, str(parsed.name)
    if host == _DEFAULT_HOST:
        host = str(daemon.info()["IndexServerAddress"])
    found = CredentialStore().find(host, repository)
    return found.to_header(host) if found else None


def pull_image(daemon: DaemonClient, reference: str, *, platform: str | None, quiet: bool) -> None:
    """Pull with progress on stderr: stdout belongs to the container."""
    credentials = credentials_for(daemon, reference)
    name, tag = _name_and_tag(reference)
    items = daemon.pull_image(name, tag, platform=platform, credentials=credentials)
    show(items, sys.stderr, quiet=quiet)


def _name_and_tag(reference: str) -> tuple[str, str | None]:
    """Split a reference into name and tag; without a tag or digest the tag is ``latest``."""
    name, tag = split_reference(reference)
    return name, tag or (None if "@" in reference else "latest")


def _pull_arguments(parser: Parser) -> None:
    parser.flag("-a", "--all-tags", help="all tags of the repository")
    parser.option("--platform", metavar="OS/ARCH", help="platform to pull")
    parser.flag("-q", "--quiet", help="print only the image name")
    parser.argument("image")


def _pull(daemon: DaemonClient, args: Arguments) -> int:
    name, tag = split_reference(args.image) if args.all_tags else _name_and_tag(args.image)
    if args.all_tags and (tag or "@" in args.image):
        raise UsageError("a tag or digest and --all-tags cannot both be given")
    credentials = credentials_for(daemon, args.image)
    items = daemon.pull_image(name, tag, platform=args.platform, credentials=credentials)
    show(items, sys.stdout, quiet=args.quiet)
    sys.stdout.write(f"{args.image}\n")
    return 0


def _push_arguments(parser: Parser) -> None:
    parser.flag("-a", "--all-tags", help="all tags of the repository")
    parser.flag("-q", "--quiet", help="hide progress")
    parser.argument("image")


def _push(daemon: DaemonClient, args: Arguments) -> int:
    name, tag = split_reference(args.image)
    if args.all_tags and tag:
        raise UsageError("a tag and --all-tags cannot both be given")
    sent = None if args.all_tags else tag or "latest"
    credentials = credentials_for(daemon, args.image)
    show(daemon.push_image(name, sent, credentials=credentials), sys.stdout, quiet=args.quiet)
    if args.quiet:
        sys.stdout.write(f"{args.image}\n")
    return 0


def _import_arguments(parser: Parser) -> None:
    parser.options(
        "-c",
        "--change",
        metavar="INSTRUCTION",
        help="Dockerfile instruction to apply, such as 'CMD [\"sh\"]'",
    )
    parser.option("-m", "--message", metavar="TEXT", help="comment in the image history")
    parser.option("--platform", metavar="OS/ARCH", help="platform of the image")
    parser.argument("file", help="a tar archive, or - for stdin")
    parser.argument("repository", nargs="?", help="the image's name: NAME[:TAG]")


def _import(daemon: DaemonClient, args: Arguments) -> int:
    repository, tag = split_reference(args.repository) if args.repository else (None, None)
    items = daemon.import_image(
        _archive(args.file),
        args.change,
        repo=repository,
        tag=tag,
        message=args.message,
        platform=args.platform,
    )
    show(items, sys.stdout, quiet=False)
    return 0


def _load_arguments(parser: Parser) -> None:
    parser.option("-i", "--input", metavar="FILE", help="read this archive instead of stdin")
    parser.flag("-q", "--quiet", help="hide progress")


def _load(daemon: DaemonClient, args: Arguments) -> int:
    if args.input is None and sys.stdin.isatty():
        raise UsageError("expected an archive: --input FILE, or one on stdin")
    items = daemon.load_images(_archive(args.input or "-"), quiet=args.quiet)
    show(items, sys.stdout, quiet=False)
    return 0


def _save_arguments(parser: Parser) -> None:
    parser.option("-o", "--output", metavar="FILE", help="write to a file instead of stdout")
    parser.argument("image", nargs="+")


def _save(daemon: DaemonClient, args: Arguments) -> int:
    if args.output is None and sys.stdout.isatty():
        raise UsageError(
            "refused to write an archive to a terminal: use --output FILE, or redirect"
        )
    chunks = daemon.save_images(args.image)
    if args.output is None:
        _write(chunks, sys.stdout.fileno())
    else:
        _save_to(chunks, args.output)
    return 0


def _save_to(chunks: Iterable[bytes], path: str) -> None:
    """Write to a temporary file and rename it, so that no partial archive has the name."""
    aside = f"{path}.{os.getpid()}.part"
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except OSError as error:
        # Report the requested name, not the temporary file's.
        error.filename = path
        raise
    try:
        _write(chunks, descriptor)
        os.rename(aside, path)
    except BaseException:
        os.unlink(aside)
        raise
    finally:
        os.close(descriptor)


def _write(chunks: Iterable[bytes], descriptor: int) -> None:
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            view = view[os.write(descriptor, view) :]


def _archive(path: str) -> Iterator[bytes]:
    """The file's bytes; opened now, so that a missing file fails before the request."""
    file = sys.stdin.buffer if path == "-" else open(path, "rb")  # noqa: SIM115 - closed below

    def chunks() -> Iterator[bytes]:
        with file:
            while chunk := file.read(_READ_BYTES):
                yield chunk

    return chunks()


COMMANDS = {
    "pull": (_pull_arguments, _pull),
    "push": (_push_arguments, _push),
    "import": (_import_arguments, _import),
    "load": (_load_arguments, _load),
    "save": (_save_arguments, _save),
}
