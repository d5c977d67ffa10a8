"""The cloud API as one ASGI application."""

from collections.abc import Callable, Sequence

from fastapi import APIRouter, Depends, FastAPI
from starlette.types import ASGIApp

from mesh.faces.cloud.about import about
from mesh.faces.cloud.absent import absent
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.bodies import Bodies
from mesh.faces.cloud.clusters.gpu_configs import gpu_configs
from mesh.faces.cloud.clusters.instance_types import instance_types
from mesh.faces.cloud.clusters.routes import clusters
from mesh.faces.cloud.clusters.standby import standby
from mesh.faces.cloud.codespaces.routes import codespaces
from mesh.faces.cloud.deployments.endpoints import endpoints
from mesh.faces.cloud.deployments.history import deployment_history
from mesh.faces.cloud.deployments.lists import deployment_lists
from mesh.faces.cloud.deployments.routes import deployments
from mesh.faces.cloud.deployments.sizing import sizing
from mesh.faces.cloud.door import OPEN, Door
from mesh.faces.cloud.organization.events import events
from mesh.faces.cloud.organization.labels import labels
from mesh.faces.cloud.organization.limit_groups import limit_groups
from mesh.faces.cloud.organization.organizations import organizations
from mesh.faces.cloud.organization.secrets import secrets
from mesh.faces.cloud.organization.tenants import tenants
from mesh.faces.cloud.organization.usage import usage
from mesh.faces.cloud.pages.routes import pages
from mesh.faces.cloud.parts import parts
from mesh.faces.cloud.people.auth import auth
from mesh.faces.cloud.people.identity import identity
from mesh.faces.cloud.people.members import members
from mesh.faces.cloud.people.oidc import oidc
from mesh.faces.cloud.people.tokens import tokens
from mesh.faces.cloud.people.users import users
from mesh.faces.cloud.permission import operations
from mesh.faces.cloud.releases.bentos import bentos
from mesh.faces.cloud.releases.models import models
from mesh.faces.cloud.releases.transfer import signed
from mesh.faces.cloud.releases.uses import release_uses
from mesh.faces.cloud.streams.sockets import sockets
from mesh.faces.cloud.streams.subscriptions import subscriptions
from mesh.faces.described import BY_HEADER, FAILURES, describe
from mesh.faces.rest.failures import handle_failures

Routes = Callable[[Backing], APIRouter]

ROUTES: Sequence[Routes] = (
    about,
    absent,
    deployment_history,
    deployment_lists,
    deployments,
    codespaces,
    auth,
    oidc,
    pages,
    sizing,
    events,
    secrets,
    sockets,
    subscriptions,
    instance_types,
    gpu_configs,
    clusters,
    standby,
    endpoints,
    parts,
    labels,
    identity,
    members,
    organizations,
    tenants,
    tokens,
    users,
    usage,
    limit_groups,
    bentos,
    models,
    signed,
    release_uses,
)
"""The routes of all families, with their whole paths."""


def cloud_api(backing: Backing) -> FastAPI:
    """The API without its door; its OpenAPI is at `/api/openapi.json`."""
    app = FastAPI(
        title="Serving Mesh cloud API",
        version="1",
        docs_url=None,  # these pages load code from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        responses=FAILURES,
    )
    describe(app, [BY_HEADER], OPEN)
    handle_failures(app)
    opened = [Depends(backing.verbs.until_opened), Depends(backing.access.until_opened)]
    families = [routes(backing) for routes in ROUTES]
    for family in families:
        app.include_router(family, dependencies=opened)
    app.state.operations = frozenset(operations(families))
    return app


def cloud_app(backing: Backing) -> ASGIApp:
    """The API, for those who may use it."""
    return Door(Bodies(cloud_api(backing)), backing)
