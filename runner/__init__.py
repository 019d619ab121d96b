"""The runner: pulls images and runs isolated containers, as a command and a daemon."""
