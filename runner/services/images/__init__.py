"""Images: found, pulled, pushed, kept and removed."""
