"""The command ``registry``."""

from registry.cli.entry import main

__all__ = ["main"]
