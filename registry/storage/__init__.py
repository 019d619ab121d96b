"""What outlives a request: rows in a database, bytes in a store."""
