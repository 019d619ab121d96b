"""Garbage collection, concurrent with pushes and pulls."""
