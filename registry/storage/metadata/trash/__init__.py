"""The trash: what was deleted or collected, until its bytes go."""
