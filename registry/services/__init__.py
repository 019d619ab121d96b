"""What the registry does, in the words of the spec."""
