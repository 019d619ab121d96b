"""Errors: translate an OSError of the disk."""

from __future__ import annotations

import errno

from oci.errors import OCIError
from registry.errors import StorageFailed, StorageFull

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def to_storage_error(error: OSError, *, action: str = "store this") -> OCIError:
    """For a step that writes: StorageFull if the disk is full, else StorageFailed."""
    if error.errno in _FULL:
        return StorageFull()
    return StorageFailed(error.strerror or str(error), action=action)
