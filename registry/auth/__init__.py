"""Who may do what; independent of services."""
