"""The daemon's services: images, containers, execs, volumes, events."""
