"""Resources that somebody follows: how each is now, and how it is shown."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel

from mesh.access.principal import Area, Principal, Verb
from mesh.control.store.catalogue import Entry, Kind
from mesh.errors import InvalidArgument, NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.deployments.routes import ServedDeployments
from mesh.faces.cloud.deployments.shown import Shown
from mesh.faces.cloud.releases.shelves import Shelves
from mesh.releases.packages import BENTOS, MODELS, package_of, repository_of

DEPLOYMENT = "deployment"
_KINDS: Mapping[str, Kind] = {
    "bento": Kind.BENTO,
    "bento_repository": Kind.BENTO_REPOSITORY,
    "model": Kind.MODEL,
    "model_repository": Kind.MODEL_REPOSITORY,
}


class Followed:
    """What somebody follows, on one connection.

    What `find` gives is another value whenever the resource has changed.
    """

    def __init__(self, backing: Backing, asker: Principal) -> None:
        self._backing = backing
        self._asker = asker
        self._deployments = ServedDeployments(backing)
        self._names: dict[str, str] = {}

    async def find(self, kind: str, uid: str) -> Any:
        """A resource as it is now.

        Raises NotFound, also for one of another organization; InvalidArgument for a type that
        cannot be followed; PermissionDenied.
        """
        if kind == DEPLOYMENT:
            self._asker.require(Verb.READ, Area.DEPLOYMENTS)
            return self._deployment(uid)
        if kind not in _KINDS:
            types = ", ".join((DEPLOYMENT, *_KINDS))
            raise InvalidArgument(f"resource_type: {kind[:100]!r} is none of {types}")
        self._asker.require(Verb.READ, Area.RELEASES)
        found = await self._backing.catalogue.entry_of(_KINDS[kind], uid)
        if found is None or found.organization != self._asker.organization:
            raise NotFound(f"there is no {kind} with the uid {uid[:100]!r}")
        return found

    def _deployment(self, uid: str) -> Shown:
        every, organization = self._deployments.all, self._asker.organization
        if uid not in self._names:  # all of them are not gone through each time
            names = {held.one.uid: held.one.name for held in every.all(organization)}
            self._names |= {uid: names[uid]} if uid in names else {}
        name = self._names.get(uid)
        found = every.find(name, organization) if name is not None else None
        if found is None or found.uid != uid:
            raise NotFound(f"there is no deployment with the uid {uid[:100]!r}")
        return found

    async def view(self, kind: str, found: Any) -> BaseModel:
        """All of a resource that was found, as it is shown elsewhere. Raises NotFound."""
        if isinstance(found, Shown):
            return self._deployments.view(found)
        shelves = Shelves(self._backing, self._asker.organization)
        views: Mapping[str, Callable[[Entry], Awaitable[BaseModel]]] = {
            "bento": lambda entry: shelves.bento_in(package_of(BENTOS, entry)),
            "bento_repository": lambda entry: shelves.shown_bentos(repository_of(BENTOS, entry)),
            "model": lambda entry: shelves.model_in(package_of(MODELS, entry)),
            "model_repository": lambda entry: shelves.shown_models(repository_of(MODELS, entry)),
        }
        return await views[kind](found)
