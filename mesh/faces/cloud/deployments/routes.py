"""Deployments: made, changed, stopped and forgotten."""

import re

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.config import DeploymentConfig, parse
from mesh.control.records import CLUSTER, Intent
from mesh.errors import InvalidArgument, NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.deployments.listing import Deployments
from mesh.faces.cloud.deployments.shown import Shown
from mesh.faces.cloud.deployments.translation import config_of, kebab, merged, wire_of
from mesh.faces.cloud.deployments.views import DeploymentViews
from mesh.faces.cloud.parameters import Text
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.wire.base import at
from mesh.faces.cloud.wire.deployed import DeploymentView
from mesh.faces.cloud.wire.deployments import SentDeployment, SentLabels, SentUpdate, sent
from mesh.releases.deploying import Deploying

ITEM = "/api/v2/deployments/{name}"
KIND = "deployment"
_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


def deployments(backing: Backing) -> APIRouter:
    """The routes of one deployment, and the one that makes it."""
    router = APIRouter(tags=["deployments"])
    served = ServedDeployments(backing)

    @router.post("/api/v2/deployments")
    async def create(
        body: SentDeployment,
        asker: Asker = may(Verb.WRITE, Area.DEPLOYMENTS, KIND, "created"),
        cluster: Text = "",
    ) -> DeploymentView:
        """Makes a deployment; its release is made ready in the background."""
        return await served.create(body, asker, cluster)

    @router.get(ITEM)
    async def get(
        name: str, asker: Asker = may(Verb.READ, Area.DEPLOYMENTS), cluster: Text = ""
    ) -> DeploymentView:
        """One deployment."""
        return served.view(served.find(name, asker, cluster))

    @router.put(ITEM)
    async def update(
        name: str,
        body: SentUpdate,
        asker: Asker = may(Verb.WRITE, Area.DEPLOYMENTS, KIND, "updated"),
        cluster: Text = "",
    ) -> DeploymentView:
        """Changes a deployment: what is absent stays, what is null is cleared."""
        return await served.update(served.find(name, asker, cluster), body, asker)

    @router.delete(ITEM)
    async def delete(
        name: str,
        asker: Asker = may(Verb.WRITE, Area.DEPLOYMENTS, KIND, "deleted"),
        cluster: Text = "",
    ) -> DeploymentView:
        """Stops and forgets a deployment."""
        return await served.delete(served.find(name, asker, cluster), asker)

    @router.post(f"{ITEM}/terminate")
    async def terminate(
        name: str,
        asker: Asker = may(Verb.WRITE, Area.DEPLOYMENTS, KIND, "terminated"),
        cluster: Text = "",
    ) -> DeploymentView:
        """Stops a deployment and keeps it."""
        found = served.find(name, asker, cluster)
        await served.deploying.terminate(found.name, by=asker.user)
        return served.view(served.find(name, asker))

    @router.put(f"{ITEM}/void_update")
    async def restart(
        name: str,
        asker: Asker = may(Verb.WRITE, Area.DEPLOYMENTS, KIND, "restarted"),
        cluster: Text = "",
    ) -> DeploymentView:
        """Replaces all that runs of a deployment."""
        found = served.find(name, asker, cluster)
        await served.restart(found.name, asker)
        return served.view(served.find(name, asker))

    @router.put(f"{ITEM}/labels")
    async def label(
        name: str,
        body: SentLabels,
        asker: Asker = may(Verb.WRITE, Area.DEPLOYMENTS, KIND, "labelled"),
        cluster: Text = "",
    ) -> DeploymentView:
        """Replaces the labels of a deployment."""
        found = served.find(name, asker, cluster)
        if body.labels is not None:
            given = sent(body)["labels"]
            labels = {each["key"]: each.get("value") or "" for each in given}
            await served.deploying.set_labels(found.name, labels, by=asker.user)
        return served.view(served.find(name, asker))

    return router


class ServedDeployments:
    """What routes do with deployments."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    @property
    def deploying(self) -> Deploying:
        """Who has releases made ready."""
        return self._backing.ready_deploying

    @property
    def all(self) -> Deployments:
        """All that there are."""
        return Deployments(self._backing, self.deploying)

    def views(self) -> DeploymentViews:
        """What replies have of them."""
        return DeploymentViews(self._backing.access, self._backing.gateway_url)

    def view(self, found: Shown) -> DeploymentView:
        """All of one."""
        return self.views().full(found)

    def find(self, name: str, asker: Asker, cluster: str = "") -> Shown:
        """One that the asker may see. Raises NotFound."""
        return self.all.find(name, asker.organization, cluster)

    async def create(self, body: SentDeployment, asker: Asker, cluster: str) -> DeploymentView:
        """Makes one. Raises what `Deploying.deploy` raises."""
        if cluster not in ("", CLUSTER):
            raise NotFound(f"there is no cluster {cluster!r}")
        given = sent(body)
        bento = given.get("bento") or ""
        if not bento:
            raise InvalidArgument("bento: say which release, as name:version")
        name = asker.doing.name = given.get("name") or self._invented(bento)
        asker.doing.resource = {"bento": bento}
        if not _LABEL.fullmatch(name):
            raise InvalidArgument(
                f"name: {name!r} must be 63 characters at most: small letters, digits and hyphens,"
                " a letter first and no hyphen last"
            )
        config = config_of(merged({"name": name}, given))
        if config.dev:  # what is being developed need not answer meanwhile
            config = config.model_copy(update={"deployment_strategy": "Recreate"})
        await self.deploying.deploy(
            config, organization=asker.organization, by=asker.user, is_new=True
        )
        await self._forget_files(name, asker.organization)
        return self.view(self.find(name, asker))

    async def update(self, found: Shown, body: SentUpdate, asker: Asker) -> DeploymentView:
        """Changes one, or starts it. Raises what `Deploying.deploy` raises."""
        wire = merged(wire_of(found.config), sent(body))
        if not wire.get("bento"):
            raise InvalidArgument("bento: say which release, as name:version")
        asker.doing.resource = {"bento": wire["bento"]}
        base = parse(DeploymentConfig, found.config, what=f"deployment {found.name}")
        await self.deploying.deploy(
            config_of(wire, base), organization=asker.organization, by=asker.user
        )
        return self.view(self.find(found.name, asker))

    async def delete(self, found: Shown, asker: Asker) -> DeploymentView:
        """Forgets one; what is shown is how it was. Raises NotFound."""
        await self.deploying.delete(found.name, by=asker.user)
        await self._forget_files(found.name, found.organization)
        gone = {"status": "terminating", "deleted_at": at(self._backing.wall())}
        return self.view(found).model_copy(update=gone)

    async def _forget_files(self, name: str, organization: str) -> None:
        """Removes the files of a codespace of this name that is gone."""
        if self._backing.coding is not None:
            await self._backing.coding.forget(organization, name)

    async def restart(self, name: str, asker: Asker) -> None:
        """Replaces what runs; what failed or is stopped is tried or started again."""
        if await self.deploying.retry(name):
            return
        verbs = self._backing.verbs
        if verbs.deployment(name).intent is Intent.TERMINATE:
            await verbs.start(name, by=asker.user)
        else:
            await verbs.restart(name, by=asker.user)

    def _invented(self, bento: str) -> str:
        base = kebab(bento.partition(":")[0]) or KIND
        base = base if base[0].isalpha() else f"{KIND}-{base}"
        while True:
            name = f"{base}-{self._backing.new_uid()[-4:]}"
            is_taken = name in self.deploying.pending() or self.deploying.record(name)
            if not is_taken:
                return name
