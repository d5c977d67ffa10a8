"""The access of a mesh that has one user: whoever has its control token."""

from collections.abc import Mapping
from types import MappingProxyType

from mesh.access.contract import Grant, Person
from mesh.access.principal import OWNER, Principal
from mesh.errors import Unauthenticated
from mesh.faces.tokens import refusal

_NOTHING: Mapping[bytes, Grant] = MappingProxyType({})


class OnlyOwner:
    """See contract.Access. An empty token lets everyone in."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def authenticate(self, token: str) -> Principal:
        """As of Access."""
        refused: Unauthenticated | None = refusal(token.encode(), self._token)
        if refused is not None:
            raise refused
        return OWNER

    def person(self, name: str) -> Person:
        """As of Access."""
        return Person(name or OWNER.user, name or OWNER.user, 0.0, 0.0)

    def grants(self) -> Mapping[bytes, Grant]:
        """As of Access."""
        return _NOTHING
