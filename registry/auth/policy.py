"""Policy: the access of an identity; for now the only identity is the anonymous one."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Access = Literal["open", "pull", "push", "delete", "catalog"]
"""The access column of the endpoint table."""

Grant = Literal["none", "pull", "push"]
"""The access granted to an identity."""

ALLOWED: Mapping[Grant, frozenset[Access]] = MappingProxyType(
    {
        "none": frozenset({"open"}),
        "pull": frozenset({"open", "pull", "catalog"}),
        "push": frozenset({"open", "pull", "catalog", "push", "delete"}),
    }
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller."""

    name: str


ANONYMOUS = Identity("anonymous")


@dataclass(frozen=True, slots=True)
class Policy:
    """Decides access by grants.  Deny by default."""

    anonymous: Grant

    def allows(self, identity: Identity, access: Access) -> bool:
        return identity.name == ANONYMOUS.name and access in ALLOWED[self.anonymous]

    def __str__(self) -> str:
        return {
            "none": "nobody may pull or push",
            "pull": "anyone who can connect may pull, nobody may push or delete",
            "push": "anyone who can connect may pull, push and delete",
        }[self.anonymous]
