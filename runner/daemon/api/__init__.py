"""The Docker Engine API: routes, handlers, documents and filters.

https://docs.docker.com/engine/api/v1.44/
"""
