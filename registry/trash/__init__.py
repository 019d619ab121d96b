"""The trash, for operators: delete repositories, and undelete content."""
