"""The trash: deleted and collected content, until its files are purged."""
