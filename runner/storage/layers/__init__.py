"""Layers: unpack archives, store by diff ID, diff snapshots."""
