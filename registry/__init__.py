"""The registry: stores and serves blobs, manifests, tags and referrers."""
