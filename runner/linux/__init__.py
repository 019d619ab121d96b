"""System calls and kernel interfaces missing from Python's standard library."""
