"""Streams of containers: the lines of their logs, and streams that wait for a start."""
