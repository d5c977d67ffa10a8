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
from mesh.faces.cloud.parameters import Flag, Paged, Paging, Text
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
        asked: Paging,
        view: Callable[[DeploymentViews, Shown], BaseModel],
        cluster: str = "",
    ) -> Response:
        there = Deployments(backing, backing.ready_deploying)
        found = await there.matching(organization, wanted(asked.q, me), asked.search, cluster)
        views = DeploymentViews(backing.access, backing.gateway_url)
        some = asked.some(found)
        items = await _written(some, lambda held: view(views, there.show(held)))
        told = len(some) if asked.count is None else asked.count
        head = f'{{"start":{asked.begin},"count":{told},"total":{len(found)},"items":['
        return Response(head + ",".join(items) + "]}", media_type="application/json")

    @router.get("/api/v2/deployments", response_model=Listed[DeploymentView])
    async def deployments(
        asked: Paged,
        asker: Asker = READ,
        cluster: Text = "",
        all: Flag = None,  # noqa: A002  # so it is called on the wire
    ) -> Response:
        """Deployments, the newest first; all of them without `count`."""
        del all  # there is one cluster
        view = DeploymentViews.full
        return await listed(asker.organization, asker.user, asked, view, cluster)

    @router.get("/api/v1/deployments", response_model=Listed[DeploymentView])
    async def of_all_clusters(asked: Paged, asker: Asker = READ) -> Response:
        """The same, of all clusters."""
        return await listed(asker.organization, asker.user, asked, DeploymentViews.full)

    @router.get("/api/v1/deployments-wo-revisions", response_model=Listed[PlainDeployment])
    async def without_revisions(asked: Paged, asker: Asker = READ) -> Response:
        """The same, without what they are set to."""
        return await listed(asker.organization, asker.user, asked, DeploymentViews.plain)

    @router.get("/api/admin/v1/deployments", response_model=Listed[AdminDeployment])
    async def of_all_organizations(asked: Paged, asker: Asker = READ) -> Response:
        """The deployments of all organizations, for those who administrate them."""
        require_super_admin(asker)
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
