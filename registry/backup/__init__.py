"""Backup of a registry in use, and restore into a new root."""
