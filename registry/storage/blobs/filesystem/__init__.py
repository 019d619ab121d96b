"""A BlobStore of files: written aside, synced, renamed."""
