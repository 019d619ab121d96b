"""The disk of a root: its lock, its free space, and whether it may be written."""
