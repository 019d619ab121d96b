"""Errors: an OSError of the disk as the registry's own."""

from __future__ import annotations

import errno

from oci.errors import OCIError
from registry.errors import StorageFailed, StorageFull

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def to_storage_error(error: OSError, *, action: str = "store this") -> OCIError:
    """For a step that writes: StorageFull when there is no room, StorageFailed for the rest."""
    if error.errno in _FULL:
        return StorageFull()
    return StorageFailed(error.strerror or str(error), action=action)
