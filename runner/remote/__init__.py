"""A client of other registries: the OCI distribution protocol."""
