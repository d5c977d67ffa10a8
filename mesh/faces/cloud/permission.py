"""What an operation needs of whoever asks, and what is noted of it: a dependency of each route."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from mesh.access.principal import Area, Principal, Verb
from mesh.errors import PermissionDenied, Unauthenticated
from mesh.faces.notes import Doing


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


async def require_still(connection: HTTPConnection, principal: Principal) -> None:
    """Raises Unauthenticated or PermissionDenied unless the door would let them in as it did."""
    if await connection.state.let_in() != principal:
        raise PermissionDenied("what you may do has changed meanwhile: connect again")


def may(verb: Verb, area: Area, resource_type: str = "", operation: str = "") -> Any:
    """A dependency that gives the `Asker`, if it may do this. Raises PermissionDenied.

    With `operation` the request is noted under this word; its name is the last parameter of the
    path unless the route says otherwise.
    """
    return Depends(Gate(verb, area, resource_type, operation))


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets askers through to a route, and has what they do noted; see `may` and `over_all`."""

    verb: Verb
    area: Area
    resource_type: str
    operation: str
    is_over_all: bool = False

    async def __call__(self, connection: HTTPConnection) -> Asker:
        """Who asks. Raises Unauthenticated, PermissionDenied."""
        doing = Doing(self.resource_type, self.operation)
        if connection.path_params:
            doing.name = str(list(connection.path_params.values())[-1])
        connection.state.doing = doing if self.operation else None
        principal = principal_of(connection)
        principal.require(self.verb, self.area)
        if self.is_over_all and not principal.is_super_admin:
            raise PermissionDenied("this is for administrators of all organizations")
        return Asker(principal, doing)


@dataclass(frozen=True, slots=True)
class OwnGate:
    """Lets askers through to what is theirs, and has what they do noted; see `own`."""

    operation: str
    resource_type: str = "user"

    async def __call__(self, connection: HTTPConnection) -> Asker:
        """Who asks. Raises Unauthenticated, PermissionDenied."""
        principal = principal_of(connection)
        doing = Doing(self.resource_type, self.operation, principal.user)
        connection.state.doing = doing
        principal.require_scope(Verb.WRITE, Area.TOKENS)
        return Asker(principal, doing)


def operations(families: Iterable[APIRouter]) -> Iterator[tuple[str, str]]:
    """The resource types and words of all routes whose requests are noted."""
    for family in families:
        for route in family.routes:
            if isinstance(route, APIRoute):
                for gate in gates(route.dependant):
                    if gate.operation:
                        yield gate.resource_type, gate.operation


def gates(dependant: Dependant) -> Iterator[Gate | OwnGate]:
    """The gates that a route is behind."""
    for each in dependant.dependencies:
        if isinstance(each.call, Gate | OwnGate):
            yield each.call
        yield from gates(each)


def own(operation: str) -> Any:
    """A dependency that gives the `Asker` for a change to themselves: of any role.

    Raises PermissionDenied for a token without a scope to change anything beside the cluster.
    """
    return Depends(OwnGate(operation))


def over_all(operation: str, resource_type: str = "organization") -> Any:
    """A dependency that gives the `Asker` if they are an administrator of all organizations.

    Raises PermissionDenied.
    """
    verb = Verb.WRITE if operation else Verb.READ
    return Depends(Gate(verb, Area.MEMBERS, resource_type, operation, is_over_all=True))


def _anyone(connection: HTTPConnection) -> Asker:
    return Asker(principal_of(connection), Doing("", ""))


Anyone = Annotated[Asker, Depends(_anyone)]
"""Whoever has shown who they are."""
