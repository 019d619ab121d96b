"""Management: changes of users, robots, grants and locks by a caller, within their own reach."""
