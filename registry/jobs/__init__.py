"""Background jobs: when each runs, and how it went."""
