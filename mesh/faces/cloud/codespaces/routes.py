"""Codespaces over the cloud API: files of deployments that are being developed."""

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.errors import FailedPrecondition
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.deployments.routes import ITEM, KIND, ServedDeployments
from mesh.faces.cloud.deployments.shown import Shown
from mesh.faces.cloud.parameters import Text
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.releases.shelves import Shelves
from mesh.faces.cloud.wire.codespaces import (
    FilesSent,
    FilesView,
    PathsSent,
    contents_of,
    files_view,
)
from mesh.faces.cloud.wire.packages import BentoWithRepository

FILES = f"{ITEM}/files"


def codespaces(backing: Backing) -> APIRouter:
    """The routes of the files of a deployment, and the one that makes a release of them."""
    routes = APIRouter(tags=["codespaces"])
    served = ServedDeployments(backing)

    def find(name: str, asker: Asker, cluster: str) -> Shown:
        found = served.find(name, asker, cluster)
        if not found.config.get("dev"):
            raise FailedPrecondition(f"deployment {name!r} is no codespace")
        return found

    @routes.get(FILES)
    async def files(
        name: str, asker: Asker = may(Verb.READ, Area.DEPLOYMENTS), cluster: Text = ""
    ) -> FilesView:
        """The files that there are."""
        return files_view(await backing.ready_coding.files(find(name, asker, cluster)))

    @routes.post(FILES)
    async def add(
        name: str,
        body: FilesSent,
        asker: Asker = may(Verb.WRITE, Area.DEPLOYMENTS, KIND, "changed files"),
        cluster: Text = "",
    ) -> FilesView:
        """Adds files, or puts them in the place of others; then they are deployed."""
        found = find(name, asker, cluster)
        asker.doing.resource = {"files": len(body.files)}
        contents = await asyncio.to_thread(contents_of, body)
        return files_view(await backing.ready_coding.add(found, contents, asker.user))

    @routes.delete(FILES)
    async def remove(
        name: str,
        body: PathsSent,
        asker: Asker = may(Verb.WRITE, Area.DEPLOYMENTS, KIND, "removed files"),
        cluster: Text = "",
    ) -> FilesView:
        """Removes files; then the others are deployed."""
        found = find(name, asker, cluster)
        asker.doing.resource = {"files": len(body.paths)}
        return files_view(await backing.ready_coding.remove(found, body.paths, asker.user))

    @routes.post(f"{ITEM}/build_bento")
    async def build(
        name: str,
        asker: Asker = may(Verb.WRITE, Area.RELEASES, "bento", "created"),
        cluster: Text = "",
    ) -> BentoWithRepository:
        """Makes a release of the files, as if it had been pushed."""
        asker.principal.require(Verb.READ, Area.DEPLOYMENTS)
        found = find(name, asker, cluster)
        now = datetime.fromtimestamp(backing.wall(), UTC)
        version = f"{now:%Y%m%d-%H%M%S}-{backing.new_uid()[:6]}"
        made = await backing.ready_coding.release(found, version, asker.user)
        asker.doing.name, asker.doing.resource = made.tag, {"deployment": name}
        return await Shelves(backing, asker.organization).bento_in(made)

    return routes
