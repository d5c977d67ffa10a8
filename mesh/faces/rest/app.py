"""The control API as one ASGI application, to be mounted at `PREFIX`."""

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from mesh.access.contract import Access
from mesh.control.verbs import Verbs
from mesh.faces.described import BY_BEARER, BY_HEADER, FAILURES, describe
from mesh.faces.notes import Notes, Noting
from mesh.faces.rest.access import Guard
from mesh.faces.rest.builds import builds
from mesh.faces.rest.canaries import canaries
from mesh.faces.rest.deployments import deployments
from mesh.faces.rest.endpoints import endpoints
from mesh.faces.rest.failures import handle_failures
from mesh.faces.rest.logs import logs
from mesh.faces.rest.overview import overview
from mesh.faces.rest.secret_key import secret_key
from mesh.releases.deploying import Deploying

PREFIX = "/api/mesh/v1"
FAMILIES = (deployments, canaries, logs, endpoints, secret_key)
"""The routes that wait until what is kept is read."""


def rest_app(
    verbs: Verbs,
    access: Access,
    deploying: Deploying | None = None,
    notes: Notes | None = None,
) -> ASGIApp:
    """The API over `verbs`, for those who `access` lets in; `openapi.json` in it describes it.

    With `deploying`, what was pushed can be deployed. What is done goes to `notes`.
    """
    app = rest_api(verbs, deploying)
    return Guard(app if notes is None else Noting(app, notes), access, verbs)


def rest_api(verbs: Verbs, deploying: Deploying | None = None) -> FastAPI:
    """The API without its guard."""
    app = FastAPI(
        title="Serving Mesh control API",
        version="1",
        docs_url=None,  # these pages load code from elsewhere
        redoc_url=None,
        responses=FAILURES,
    )
    describe(app, [BY_BEARER, BY_HEADER])
    handle_failures(app)
    opened = [Depends(verbs.until_opened)]
    for routes in FAMILIES:
        app.include_router(routes(), dependencies=opened)
    if deploying is not None:
        app.include_router(builds(deploying), dependencies=opened)
    app.include_router(overview())
    return app
