"""Images: find, pull, push, tag, remove, import, load, save."""
