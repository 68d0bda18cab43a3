"""What each role may do. Routes name permissions, never roles, so that a role is a set and nothing else."""

from collections.abc import Mapping
from typing import Final, Literal

Role = Literal["viewer", "manager", "admin"]

VIEWER: Final = frozenset(
    {
        "events.read", "pilots.read", "runs.read", "samples.read", "session.own", "sites.read",
        "tokens.own", "topologies.read",
    }
)  # fmt: skip
MANAGER: Final = VIEWER | {
    "pilots.amend", "pilots.launch", "pilots.write", "runs.cancel", "runs.pause", "runs.restart",
    "sites.write", "topologies.write",
}  # fmt: skip
ADMIN: Final = MANAGER | {"audit.read", "tokens.all", "users.manage"}
ROLES: Final[Mapping[str, frozenset[str]]] = {"viewer": VIEWER, "manager": MANAGER, "admin": ADMIN}


def permissions_of(roles: list[str]) -> frozenset[str]:
    """All that these roles allow together; a role nobody knows allows nothing."""
    return frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))
