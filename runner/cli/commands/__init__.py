"""The commands of the runner."""
