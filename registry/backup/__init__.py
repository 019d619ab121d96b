"""Backup of a registry in use, or of a stopped one."""
