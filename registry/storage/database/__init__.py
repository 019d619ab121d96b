"""The database: transactions, connections, statements and the schema; no queries."""
