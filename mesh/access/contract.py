"""What the faces of the control plane ask of those who know users and tokens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mesh.access.principal import Principal

WANTED = "the control plane wants its token: authorization: Bearer"
"""What is said to those who show none."""
WRONG = "this is not the token of the control plane"
"""What is said to those who show one that is not known (any more)."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user, as others see them. Times are seconds since the Unix epoch."""

    name: str
    uid: str
    created_at: float
    updated_at: float
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    is_super_admin: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token opens of protected deployments: `deployments` by uid, or all of `organization`.

    An empty `organization` is any. `expires_at` is in seconds since the epoch (infinite: never).
    """

    organization: str
    everything: bool = False
    deployments: frozenset[str] = frozenset()
    expires_at: float = float("inf")


class Access(Protocol):
    """Users and tokens of a mesh, all at hand once they are read. For one event loop."""

    def authenticate(self, token: str) -> Principal:
        """Who shows this token (empty: shows none).

        Raises:
            Unauthenticated: it is missing, unknown or expired.
            PermissionDenied: the organization of the token is inactive.
        """
        ...

    async def admit(self, token: str) -> Principal:
        """As `authenticate`, once it is known who there is; the owner does not wait for that."""
        ...

    async def until_opened(self) -> None:
        """Returns when it is known who there is."""
        ...

    def person(self, name: str) -> Person:
        """The user of this name; one that is not known (any more) by their name alone."""
        ...

    def when_granted(self, tell: Callable[[Mapping[bytes, Grant]], None]) -> None:
        """Tells now, and whenever it changes, what opens protected deployments.

        Grants are by the SHA-256 of the token.
        """
        ...
