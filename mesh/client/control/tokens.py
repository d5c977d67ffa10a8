"""Tokens of the control API."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mesh.client.control.connection import Connection, path
from mesh.errors import InvalidArgument, NotFound

PAGE = 1000
"""Tokens that are asked for at once."""


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """Whose a token is."""

    name: str


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token; `token` is its text, which is told only when it is made.

    `deployment_names` are the protected deployments that it opens, besides all of them with
    `is_global_access`.
    """

    name: str
    uid: str
    created_at: datetime
    user: TokenOwner
    description: str = ""
    scopes: tuple[str, ...] = ()
    expired_at: datetime | None = None
    last_used_at: datetime | None = None
    is_expired: bool = False
    is_organization_token: bool = False
    is_global_access: bool = False
    deployment_names: tuple[str, ...] = ()
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Page:
    total: int
    items: tuple[TokenView, ...]


class Tokens:
    """What can be done with tokens. All raise MeshError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._here = f"{connection.url}/api/v1/api_tokens"

    def list(self) -> tuple[TokenView, ...]:
        """One's own and those of the organization, the newest first."""
        found: list[TokenView] = []
        while True:
            params = {"start": len(found), "count": PAGE}
            page = self._connection.ask(_Page, "GET", self._here, params=params)
            found += page.items
            if len(found) >= page.total or not page.items:
                return tuple(found)

    def create(
        self,
        name: str,
        *,
        description: str = "",
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
        deployments: Sequence[str] = (),
        of_organization: bool = False,
    ) -> TokenView:
        """A new token, with its text.

        `scopes` that are None are `api`; with `deployments` (names of protected ones that it
        opens) none. Raises NotFound for a deployment that is not there.
        """
        uids = [self._uid(each) for each in deployments]
        body: dict[str, Any] = {
            "name": name,
            "description": description,
            "scopes": None if scopes is None else list(scopes),
            "expired_at": expires_at.isoformat() if expires_at else None,
            "deployment_uids": uids,
            "is_organization_token": of_organization,
        }
        return self._connection.ask(TokenView, "POST", self._here, body)

    def revoke(self, uid_or_name: str) -> TokenView:
        """Has a token open nothing from now on.

        Raises:
            NotFound: there is none of this uid or name.
            InvalidArgument: there are several of this name.
        """
        found = [each for each in self.list() if each.uid == uid_or_name] or [
            each for each in self.list() if each.name == uid_or_name
        ]
        if not found:
            raise NotFound(f"there is no token {uid_or_name!r}")
        if len(found) > 1:
            uids = ", ".join(each.uid for each in found)
            raise InvalidArgument(f"there are several tokens {uid_or_name!r}: {uids}")
        self._connection.raw("DELETE", self._here + path(found[0].uid))
        return found[0]

    def _uid(self, deployment: str) -> str:
        return self._connection.ask(_Deployment, "GET", path("deployments", deployment)).uid


@dataclass(frozen=True, slots=True)
class _Deployment:
    uid: str
