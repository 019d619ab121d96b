"""Names: physical names of blobs, ids of sessions, and the directory layout.

::

    <root>/
      uploads/<session uuid>                  bytes of an upload
      blobs/<2 hex>/<encoded>-<session uuid>  bytes of a blob, mode 0444

A physical name is the digest's encoded part and the upload session's id, so it is never reused: a
delete and a new push of the same digest never concern the same file.  Of a client's text, only the
hex digits of a parsed digest and the id of a session with a row reach a path (rule IN-2).
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
    """Whether the text has the form of an upload session's id."""
    return _SESSION.fullmatch(text) is not None


def is_physical(text: str) -> bool:
    """Whether the text has the form of a blob's physical name."""
    return _PHYSICAL.fullmatch(text) is not None


def session_of(physical: str) -> str:
    """The upload session that a name contains; empty where it contains none.

    >>> session_of("0a1b-6f1f1f6e-58f0-4f0b-9d3f-5a1f0c2b7a11")
    '6f1f1f6e-58f0-4f0b-9d3f-5a1f0c2b7a11'
    """
    session = physical.partition("-")[2]
    return session if is_session(session) else ""


def physical_name(digest: Digest, session: str) -> str:
    return f"{digest.encoded}-{session}"


def upload_path(session: str) -> str:
    """Raises FileNotFoundError for a malformed id, which a corrupt row may hold."""
    if not is_session(session):
        raise no_file(session)
    return f"{UPLOADS}/{session}"


def blob_directory(physical: str) -> str:
    return f"{BLOBS}/{physical[:2]}"


def blob_path(physical: str) -> str:
    """Raises FileNotFoundError for a malformed name, which a corrupt row may hold."""
    if not is_physical(physical):
        raise no_file(physical)
    return f"{blob_directory(physical)}/{physical}"


def listed_path(name: str) -> str:
    """The path of a file by its name in a listing: a blob's, a session's, or a misnamed one's.

    A misnamed file is named by its path.  Raises FileNotFoundError for any other text, and for the
    path of a file that has a name of the store: a corrupt row may hold it in place of a name.
    """
    if is_session(name):
        return upload_path(name)
    if is_physical(name):
        return blob_path(name)
    directory, _, last = name.rpartition("/")
    if directory == UPLOADS:
        is_misnamed = not is_session(last)
    else:
        is_fan_out = directory.startswith(f"{BLOBS}/") and directory[len(BLOBS) + 1 :] in FAN_OUT
        is_misnamed = is_fan_out and not (is_physical(last) and last[:2] == directory[-2:])
    if not is_misnamed or last in ("", ".", ".."):
        raise no_file(name)
    return name


def no_file(name: str) -> FileNotFoundError:
    """A malformed name is treated as a missing file: as a path it could lead anywhere."""
    return FileNotFoundError(errno.ENOENT, "no name of the store", name)
