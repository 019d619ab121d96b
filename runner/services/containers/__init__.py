"""Containers: created, started, watched, stopped, removed."""
