"""Garbage collection, while clients push and pull."""
