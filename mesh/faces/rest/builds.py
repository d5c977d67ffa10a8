"""Deployments of releases over HTTP: wanted, and on their way to what runs."""

from typing import Any

from fastapi import APIRouter

from mesh.client.control.values import BuildView
from mesh.config import DeploymentConfig, parse
from mesh.errors import NotFound
from mesh.faces.cloud.permission import Asker
from mesh.faces.rest.access import Mine
from mesh.faces.rest.deployments import Cause
from mesh.faces.rest.parameters import changes
from mesh.faces.rest.views import time_of
from mesh.faces.rest.within import Within
from mesh.releases.deploying import Deploying
from mesh.releases.pending import Pending

DONE = "done"
"""The stage of a deployment that is what was wanted of it."""


def builds(deploying: Deploying) -> APIRouter:
    """The routes below `/builds`."""
    routes = APIRouter(prefix="/builds", tags=["builds"])

    @routes.post("")
    async def deploy(
        verbs: Mine,
        config: dict[str, Any],
        cause: Cause = "",
        asker: Asker = changes("deployment", "deployed"),
    ) -> BuildView:
        """Has a deployment be what its config says; what its releases need is made ready first."""
        wanted = parse(DeploymentConfig, config, what="config")
        asker.doing.name = wanted.name
        asker.doing.resource["cause"] = cause
        await deploying.deploy(
            wanted,
            organization=_owner(verbs, deploying, wanted.name),
            by=verbs.principal.user,
            cause=cause,
        )
        pending = _mine(verbs, deploying).get(wanted.name)
        if pending is not None:
            return _view(pending)
        changed = verbs.deployment(wanted.name).updated_at
        return BuildView(wanted.name, DONE, "", time_of(changed), wanted.model_dump(mode="json"))

    @routes.get("")
    async def listed(verbs: Mine) -> tuple[BuildView, ...]:
        """Deployments whose releases are not ready, by name."""
        return tuple(_view(each) for _, each in sorted(_mine(verbs, deploying).items()))

    @routes.get("/{name}")
    async def get(verbs: Mine, name: str) -> BuildView:
        """One of these."""
        return _view(_found(verbs, deploying, name))

    @routes.delete("/{name}", status_code=204, dependencies=[changes("deployment", "given up")])
    async def delete(verbs: Mine, name: str) -> None:
        """Gives up what is not ready; what the deployment was before goes on."""
        _found(verbs, deploying, name)
        await deploying.give_up(name)

    return routes


def _owner(verbs: Within, deploying: Deploying, name: str) -> str:
    """The organization that has a deployment, whether it runs yet or not; else that of who asks."""
    pending = _mine(verbs, deploying).get(name)
    return verbs.owner_of(name) if pending is None else pending.organization


def _mine(verbs: Within, deploying: Deploying) -> dict[str, Pending]:
    who = verbs.principal
    return {
        name: each
        for name, each in deploying.pending().items()
        if who.is_super_admin or each.organization == who.organization
    }


def _found(verbs: Within, deploying: Deploying, name: str) -> Pending:
    found = _mine(verbs, deploying).get(name)
    if found is None:
        raise NotFound(f"nothing is made ready for deployment {name!r}")
    return found


def _view(pending: Pending) -> BuildView:
    return BuildView(
        pending.name,
        pending.stage.value,
        pending.reason,
        time_of(pending.updated_at),
        pending.config,
    )
