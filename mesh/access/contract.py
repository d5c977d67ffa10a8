"""What the faces of the control plane ask of those who know users and tokens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mesh.access.principal import Principal
from mesh.traffic.grants import Grant

__all__ = ("Access", "Grant", "Person")

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

        Grants are by the SHA-256 of the token. Until this returns, no request is let in.
        """
        ...

    def used(self, digest: bytes, at: float) -> None:
        """A token, by its SHA-256, has opened a protected deployment last at `at`, Unix time.

        Told now and then by each gateway, so not always in order; of a token that is not known any
        more it means nothing.
        """
