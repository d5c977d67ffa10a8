"""What an operation needs of whoever asks, and what is noted of it: a dependency of each route."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from mesh.access.principal import Area, Principal, Verb
from mesh.errors import PermissionDenied, Unauthenticated


@dataclass(slots=True)
class Doing:
    """What a request is about to do; routes fill in what they learn.

    With an `operation` it is noted in the journal, whatever becomes of it. `resource` holds no
    secrets.
    """

    resource_type: str
    operation: str
    name: str = ""
    resource: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Asker:
    """Who asks, and what for."""

    principal: Principal
    doing: Doing

    @property
    def user(self) -> str:
        """The name of the user."""
        return self.principal.user

    @property
    def organization(self) -> str:
        """The name of the organization."""
        return self.principal.organization


def principal_of(connection: HTTPConnection) -> Principal:
    """Who the door has let in. Raises Unauthenticated for nobody."""
    found: Principal | None = getattr(connection.state, "principal", None)
    if found is None:
        raise Unauthenticated("this needs a token")
    return found


def may(verb: Verb, area: Area, resource_type: str = "", operation: str = "") -> Any:
    """A dependency that gives the `Asker`, if it may do this. Raises PermissionDenied.

    With `operation` the request is noted under this word; its name is the last parameter of the
    path unless the route says otherwise.
    """
    return Depends(_gate(verb, area, resource_type, operation))


def _gate(
    verb: Verb, area: Area, resource_type: str, operation: str
) -> Callable[[HTTPConnection], Asker]:
    def gate(connection: HTTPConnection) -> Asker:
        doing = Doing(resource_type, operation)
        if connection.path_params:
            doing.name = str(list(connection.path_params.values())[-1])
        connection.state.doing = doing if operation else None
        principal = principal_of(connection)
        principal.require(verb, area)
        return Asker(principal, doing)

    return gate


def own(operation: str) -> Any:
    """A dependency that gives the `Asker` for a change to themselves: of any role.

    Raises PermissionDenied for a token without a scope to change anything beside the cluster.
    """

    def gate(connection: HTTPConnection) -> Asker:
        principal = principal_of(connection)
        connection.state.doing = Doing("user", operation, principal.user)
        principal.require_scope(Verb.WRITE, Area.TOKENS)
        return Asker(principal, connection.state.doing)

    return Depends(gate)


def over_all(operation: str, resource_type: str = "organization") -> Any:
    """A dependency that gives the `Asker` if they are an administrator of all organizations.

    Raises PermissionDenied.
    """
    verb = Verb.WRITE if operation else Verb.READ
    gate = _gate(verb, Area.MEMBERS, resource_type, operation)

    def narrower(connection: HTTPConnection) -> Asker:
        asker = gate(connection)
        if not asker.principal.is_super_admin:
            raise PermissionDenied("this is for administrators of all organizations")
        return asker

    return Depends(narrower)


def _anyone(connection: HTTPConnection) -> Asker:
    return Asker(principal_of(connection), Doing("", ""))


Anyone = Annotated[Asker, Depends(_anyone)]
"""Whoever has shown who they are."""
