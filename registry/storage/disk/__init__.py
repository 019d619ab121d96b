"""The disk of a root: lock, free space, and the read-only latch."""
