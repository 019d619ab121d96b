"""Blobs under their digests: a contract, and the OCI image layout that keeps them."""
