"""Build a container's OCI runtime spec from its image and options; pure functions."""
