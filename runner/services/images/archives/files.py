"""ArchiveFiles: the files of an image archive by name; none is extracted to its path.

https://github.com/moby/moby/blob/master/image/spec/spec.md
"""

import json
import os
import posixpath
from pathlib import Path
from typing import Any, Self

from oci.digest import Digest
from runner.errors import BadRequest
from runner.services.images.layers.files import FileRange
from runner.storage.tar.errors import InvalidArchive
from runner.storage.tar.reader import HARD_LINK, REGULAR, SYMLINK, Member
from runner.storage.tar.tar_file import members

NAME_ANNOTATION = "io.containerd.image.name"
TAG_ANNOTATION = "org.opencontainers.image.ref.name"
MAX_ENTRIES = 100_000
MAX_NAMES_BYTES = 16 * 1024 * 1024
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
MAX_LINKS = 8


class ArchiveFiles:
    """The byte range of each file in the archive; names are keys, never paths on the host."""

    def __init__(self, files: dict[str, FileRange], links: dict[str, str]) -> None:
        self._files = files
        self._links = links

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the headers of a tar; blocking.  BadRequest if it is not a tar."""
        files: dict[str, FileRange] = {}
        links: dict[str, str] = {}
        names = 0
        try:
            # The file is uncompressed, so that offsets in the tar are offsets in the file.
            with open(path, "rb") as archive:
                for count, (entry, offset) in enumerate(members(archive)):
                    if count >= MAX_ENTRIES:
                        raise BadRequest(f"archive has more than {MAX_ENTRIES} entries")
                    names += len(entry.name) + len(entry.linkname)
                    if names > MAX_NAMES_BYTES:
                        raise BadRequest(f"names in the archive exceed {MAX_NAMES_BYTES} bytes")
                    name = _normal(os.fsdecode(entry.name))
                    found = _content_or_link(entry, FileRange(path, offset, entry.size))
                    known = links.get(name, files.get(name))
                    if known is not None and not _are_equal(known, found):
                        raise BadRequest(f"archive has two different entries named {name[:200]!r}")
                    if isinstance(found, FileRange):
                        files[name] = found
                    elif found is not None:
                        links[name] = found
        except InvalidArchive as error:
            raise BadRequest(f"archive is not a tar: {error}") from error
        return cls(files, links)

    def find(self, name: str) -> FileRange | None:
        name = _normal(name)
        for _ in range(MAX_LINKS):
            if name not in self._links:
                break
            name = self._links[name]
        return self._files.get(name)

    def get(self, name: str) -> FileRange:
        found = self.find(name)
        if found is None:
            raise BadRequest(f"archive has no file {name!r}")
        return found

    def document(self, name: str) -> bytes:
        """The content of a small file; BadRequest if it is too large."""
        found = self.get(name)
        if found.size > MAX_DOCUMENT_BYTES:
            raise BadRequest(f"{name}: {found.size} bytes, expected at most {MAX_DOCUMENT_BYTES}")
        return found.read()

    def json(self, name: str) -> Any:
        try:
            return json.loads(self.document(name))
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"{name}: not JSON: {error}") from error

    def blob(self, digest: Digest) -> bytes:
        """A document of an OCI layout, verified against its digest."""
        name = blob_name(digest)
        content = self.document(name)
        actual = Digest.of(content, digest.algorithm)
        if actual != digest:
            raise BadRequest(f"{name}: content has digest {actual}, expected {digest}")
        return content


def _content_or_link(entry: Member, content: FileRange) -> FileRange | str | None:
    """A file's byte range, or the target of a link; None for other entries."""
    if entry.type == REGULAR and entry.sparse is None:
        return content
    target = os.fsdecode(entry.linkname)
    if entry.type == SYMLINK:
        # Old docker versions linked a layer shared by two images.
        return _normal(posixpath.join(posixpath.dirname(os.fsdecode(entry.name)), target))
    return _normal(target) if entry.type == HARD_LINK else None


def _are_equal(known: FileRange | str, found: FileRange | str | None) -> bool:
    """Whether an entry has the same content as an earlier one of its name."""
    if not isinstance(known, FileRange) or not isinstance(found, FileRange):
        return known == found
    pairs = zip(known.chunks(), found.chunks(), strict=False)
    return known.size == found.size and all(one == other for one, other in pairs)


def blob_name(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def _normal(name: str) -> str:
    return posixpath.normpath("/" + name).lstrip("/")
