"""Administrative commands: the same for a running and a stopped registry."""
