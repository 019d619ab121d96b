"""Integrity: the queries of fsck and scrub, and the repairs of rows."""
