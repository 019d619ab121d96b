"""Authentication and authorization, independent of the services."""
