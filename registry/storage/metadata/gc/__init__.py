"""Garbage collection: the queries that find candidates, and the deletes that check again."""
