"""The runner's disk: blobs, layers, snapshots and the records of what exists."""
