"""The syscalls: what Python's standard library leaves out, and nothing above it."""
