"""What an operator asks of a registry: the same commands, whether it runs or is stopped."""
