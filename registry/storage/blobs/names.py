"""Names: the physical names of blobs and sessions, and the directory layout, drawn once.

::

    <root>/
      uploads/<session uuid>                  bytes on their way in
      blobs/<2 hex>/<encoded>-<session uuid>  bytes for good, mode 0444

A physical name is the digest's encoded part and the upload session's id, so it is never used
twice: a delete and a new push of the same digest cannot meet in one file.  Nothing a client
wrote reaches a path but hex digits that were parsed as a digest and the id of a session that
has a row.
"""

from __future__ import annotations

import errno
import re

from oci.digest import Digest

UPLOADS = "uploads"
BLOBS = "blobs"
FAN_OUT = tuple(f"{first:02x}" for first in range(256))

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SESSION = re.compile(_UUID, re.ASCII)
_PHYSICAL = re.compile(rf"(?:[0-9a-f]{{64}}|[0-9a-f]{{128}})-{_UUID}", re.ASCII)


def is_session(text: str) -> bool:
    """Whether this could be the id of an upload session."""
    return _SESSION.fullmatch(text) is not None


def is_physical(text: str) -> bool:
    """Whether this could be the physical name of a blob."""
    return _PHYSICAL.fullmatch(text) is not None


def session_of(physical: str) -> str:
    """The upload session whose bytes these were."""
    return physical.partition("-")[2]


def physical_name(digest: Digest, session: str) -> str:
    return f"{digest.encoded}-{session}"


def upload_path(session: str) -> str:
    """Raises FileNotFoundError for what cannot be a session's id, whatever a row says."""
    if not is_session(session):
        raise no_file(session)
    return f"{UPLOADS}/{session}"


def blob_directory(physical: str) -> str:
    return f"{BLOBS}/{physical[:2]}"


def blob_path(physical: str) -> str:
    """Raises FileNotFoundError for what cannot be a physical name, whatever a row says."""
    if not is_physical(physical):
        raise no_file(physical)
    return f"{blob_directory(physical)}/{physical}"


def no_file(name: str) -> FileNotFoundError:
    """The store has no file of a name that it never gives: such a name may lead anywhere."""
    return FileNotFoundError(errno.ENOENT, "no name of the store", name)
