"""Integrity: check rows against files and bytes (fsck, scrub), and repair."""
