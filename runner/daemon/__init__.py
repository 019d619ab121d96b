"""The daemon: the Docker Engine API on a Unix socket."""
