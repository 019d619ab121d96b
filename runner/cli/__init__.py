"""The command: what the user types; a client of the daemon and nothing more."""
