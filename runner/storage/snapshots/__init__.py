"""Snapshots: layers stacked into a root file system, with a writable one on top."""
