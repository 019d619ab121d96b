"""The registry: store and serve blobs, manifests, tags and referrers."""
