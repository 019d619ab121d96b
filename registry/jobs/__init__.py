"""Background jobs: their schedule and status."""
