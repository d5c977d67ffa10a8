"""The access of a mesh that has one user: whoever has its control token."""

import hashlib
from collections.abc import Callable, Mapping

from mesh.access.contract import Grant, Person
from mesh.access.principal import OWNER, Principal
from mesh.errors import Unauthenticated
from mesh.faces.tokens import refusal


class OnlyOwner:
    """See contract.Access. An empty token lets everyone in."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        digest = hashlib.sha256(self._token).digest()
        self._grants = {digest: Grant("", everything=True)} if token else {}

    def authenticate(self, token: str) -> Principal:
        """As of Access."""
        refused: Unauthenticated | None = refusal(token.encode(), self._token)
        if refused is not None:
            raise refused
        return OWNER

    def person(self, name: str) -> Person:
        """As of Access."""
        return Person(name or OWNER.user, name or OWNER.user, 0.0, 0.0)

    def when_granted(self, tell: Callable[[Mapping[bytes, Grant]], None]) -> None:
        """As of Access."""
        tell(self._grants)
