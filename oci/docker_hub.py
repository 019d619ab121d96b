"""Docker Hub: the one registry whose name is not the name of its server.

https://github.com/distribution/reference/blob/main/normalize.go
"""

from typing import Final

DOCKER_HUB: Final = "docker.io"
SERVER: Final = "registry-1.docker.io"
AUTH_SERVER: Final = "auth.docker.io"
# Names that users and clients write for Docker Hub; each means the first.
NAMES: Final = frozenset({DOCKER_HUB, "index.docker.io", SERVER})
