"""Rows of identities: principals, groups, grants, tokens, locks, and signing keys."""
