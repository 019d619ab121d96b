"""ContainerDeps thing 2, the disk: blobs, layers, snapshots and the records of what exists."""
