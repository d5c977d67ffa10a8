"""Lists of deployments, of an organization and of all."""

import asyncio
from collections.abc import Callable, Sequence

from fastapi import APIRouter, Response
from pydantic import BaseModel

from mesh.access.principal import Area, Verb
from mesh.errors import PermissionDenied
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.deployments.listing import Deployments, Held, pieces
from mesh.faces.cloud.deployments.shown import Shown
from mesh.faces.cloud.deployments.views import DeploymentViews
from mesh.faces.cloud.parameters import Flag, Number, Text
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.query import wanted
from mesh.faces.cloud.wire.base import Listed
from mesh.faces.cloud.wire.deployed import AdminDeployment, DeploymentView, PlainDeployment

READ = may(Verb.READ, Area.DEPLOYMENTS)


def deployment_lists(backing: Backing) -> APIRouter:
    """The routes of lists."""
    router = APIRouter(tags=["deployments"])

    async def listed(
        organization: str | None,
        me: str,
        asked: tuple[int | None, int | None, str, str, str],
        view: Callable[[DeploymentViews, Shown], BaseModel],
    ) -> Response:
        start, count, q, search, cluster = asked
        there = Deployments(backing, backing.ready_deploying)
        found = await there.matching(organization, wanted(q, me), search, cluster)
        views = DeploymentViews(backing.access, backing.gateway_url)
        begin = start or 0
        some = found[begin:] if count is None else found[begin : begin + count]
        items = await _written(some, lambda held: view(views, there.show(held)))
        told = len(some) if count is None else count
        head = f'{{"start":{begin},"count":{told},"total":{len(found)},"items":['
        return Response(head + ",".join(items) + "]}", media_type="application/json")

    @router.get("/api/v2/deployments", response_model=Listed[DeploymentView])
    async def deployments(
        asker: Asker = READ,
        start: Number = None,
        count: Number = None,
        q: Text = "",
        search: Text = "",
        cluster: Text = "",
        all: Flag = None,  # noqa: A002  # so it is called on the wire
    ) -> Response:
        """Deployments, the newest first; all of them without `count`."""
        del all  # there is one cluster
        asked = (start, count, q, search, cluster)
        return await listed(asker.organization, asker.user, asked, DeploymentViews.full)

    @router.get("/api/v1/deployments", response_model=Listed[DeploymentView])
    async def of_all_clusters(
        asker: Asker = READ,
        start: Number = None,
        count: Number = None,
        q: Text = "",
        search: Text = "",
    ) -> Response:
        """The same, of all clusters."""
        asked = (start, count, q, search, "")
        return await listed(asker.organization, asker.user, asked, DeploymentViews.full)

    @router.get("/api/v1/deployments-wo-revisions", response_model=Listed[PlainDeployment])
    async def without_revisions(
        asker: Asker = READ,
        start: Number = None,
        count: Number = None,
        q: Text = "",
        search: Text = "",
    ) -> Response:
        """The same, without what they are set to."""
        asked = (start, count, q, search, "")
        return await listed(asker.organization, asker.user, asked, DeploymentViews.plain)

    @router.get("/api/admin/v1/deployments", response_model=Listed[AdminDeployment])
    async def of_all_organizations(
        asker: Asker = READ,
        start: Number = None,
        count: Number = None,
        q: Text = "",
        search: Text = "",
    ) -> Response:
        """The deployments of all organizations, for those who administrate them."""
        require_super_admin(asker)
        asked = (start, count, q, search, "")
        return await listed(None, asker.user, asked, DeploymentViews.for_admin)

    return router


def require_super_admin(asker: Asker) -> None:
    """Raises PermissionDenied for who is no administrator of all organizations."""
    if not asker.principal.is_super_admin:
        raise PermissionDenied(f"{asker.user} is no administrator of all organizations")


async def _written(found: Sequence[Held], view: Callable[[Held], BaseModel]) -> list[str]:
    """In JSON, a few at a time: a long list holds nobody else up."""
    written: list[str] = []
    for piece in pieces(found):
        written += [view(held).model_dump_json() for held in piece]
        await asyncio.sleep(0)
    return written
