"""The daemon, which serves the Docker Engine API on a Unix socket.

https://docs.docker.com/engine/api/v1.44/
"""
