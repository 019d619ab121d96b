"""Containers: create, start, supervise, stop, remove."""
