"""Storage on disk: blobs, layers, snapshots, records."""
