"""The management API, ``/api/v1``: identities, grants and locks, by a table of endpoints."""
