"""Garbage: the queries that find it, and the deletes that ask again."""
