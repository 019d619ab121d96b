"""Blobs: immutable bytes, each file written once under a name never used again."""
