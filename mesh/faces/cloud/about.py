"""What the server says of itself, also to those who have no token yet."""

from importlib.metadata import version

from fastapi import APIRouter

from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.wire.about import InfoView, VersionView


def about(_: Backing) -> APIRouter:
    """The routes `/api/v1/version` and `/api/v1/info`."""
    routes = APIRouter(tags=["server"])

    @routes.get("/api/v1/version")
    async def get_version() -> VersionView:
        """Which version of the mesh this is."""
        return VersionView(version=version("serving-mesh"))

    @routes.get("/api/v1/info")
    async def get_info() -> InfoView:
        """What this server has and has not."""
        return InfoView()

    return routes
