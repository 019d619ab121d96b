"""The daemon, which serves the Docker Engine API on a Unix socket."""
