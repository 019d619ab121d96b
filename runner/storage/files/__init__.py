"""Files and directory trees: durable writes, walks, deletion, extended attributes."""
