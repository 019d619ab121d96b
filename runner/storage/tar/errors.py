"""Errors of tar archives."""

from typing import Final

from oci.layer import InvalidLayer

BLOCK_BYTES: Final = 512


class InvalidArchive(InvalidLayer):
    """The bytes are not a tar archive, or an inconsistent one."""


class Truncated(InvalidArchive):
    """The archive ends in the middle of an entry."""
