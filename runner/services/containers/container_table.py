"""ContainerTable: the containers in the daemon's memory, found by name, ID or its beginning."""

from runner.errors import Conflict, NoSuchContainer
from runner.services.containers.container import Container
from runner.services.containers.handle import ContainerHandle


class ContainerTable:
    """All containers; images and volumes ask it which containers use them."""

    def __init__(self) -> None:
        self._all: dict[str, ContainerHandle] = {}

    def __contains__(self, handle: ContainerHandle) -> bool:
        return handle.id in self._all

    def add(self, handle: ContainerHandle) -> None:
        self._all[handle.id] = handle

    def drop(self, handle: ContainerHandle) -> None:
        self._all.pop(handle.id, None)

    def handles(self) -> tuple[ContainerHandle, ...]:
        """The oldest first."""
        return tuple(self._all.values())

    def list(self) -> tuple[Container, ...]:
        """A view of each, the newest first."""
        return tuple(handle.view() for handle in reversed(self._all.values()))

    def find(self, name: str) -> ContainerHandle:
        """The container, NoSuchContainer, or Conflict for a beginning that several IDs have."""
        if name in self._all:
            return self._all[name]
        named = [one for one in self._all.values() if one.name == name.removeprefix("/")]
        if named:
            return named[0]
        matches = [one for id, one in self._all.items() if name and id.startswith(name)]
        if len(matches) > 1:
            raise Conflict(f"multiple containers found with ID prefix {name}")
        if not matches:
            raise NoSuchContainer(name)
        return matches[0]
