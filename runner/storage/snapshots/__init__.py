"""Snapshots: stacked layers with a writable layer on top."""
