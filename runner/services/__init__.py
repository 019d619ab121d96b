"""What the runner does: images, containers, execs, volumes, events."""
