"""The Docker Engine API: routes, handlers, documents and filters."""
