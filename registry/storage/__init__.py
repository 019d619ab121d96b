"""Storage: rows in a database, bytes in a blob store, and the disk under both."""
