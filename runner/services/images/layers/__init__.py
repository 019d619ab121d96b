"""The layers of a pull: their download, their files, their sync to the disk."""
