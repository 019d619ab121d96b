"""The OCI runtime spec of a container, made from its image and options; pure."""
