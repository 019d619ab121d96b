"""What is wrong with an archive, in the words of the layer rules."""

from typing import Final

from oci.layer import InvalidLayer

BLOCK_BYTES: Final = 512


class InvalidArchive(InvalidLayer):
    """The bytes are not a tar archive, or one that contradicts itself."""


class Truncated(InvalidArchive):
    """The archive ends in the middle of an entry."""
