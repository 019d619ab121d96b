"""Layers: unpacked from archives, kept under their diff IDs, and made again from changes."""
