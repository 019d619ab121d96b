"""Metadata: the queries on blobs, manifests, tags, uploads and repositories."""
