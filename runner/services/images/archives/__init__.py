"""Images as archives: import, load, save."""
