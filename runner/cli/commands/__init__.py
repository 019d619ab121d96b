"""The verbs of the runner command."""
