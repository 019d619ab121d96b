"""Reading and writing tar archives."""
