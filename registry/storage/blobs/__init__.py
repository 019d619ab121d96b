"""Blobs: immutable bytes, each written once, under a name that is never reused."""
