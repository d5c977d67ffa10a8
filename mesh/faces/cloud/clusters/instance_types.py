"""Instance types over the cloud API: for all to read, and for administrators to set."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.config.instance_types import DEFAULTS
from mesh.control.instance_types import (
    InstanceType,
    built_in,
    is_active,
    known_types,
    of_entry,
    resources_in,
    types_in,
)
from mesh.control.store.catalogue import Entry, Kind, Put, Remove
from mesh.errors import FailedPrecondition, NotFound, Unavailable
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.organization.secrets import check_cluster
from mesh.faces.cloud.parameters import Paged, Text
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.query import wanted
from mesh.faces.cloud.wire.base import Listed
from mesh.faces.cloud.wire.instance_types import (
    ConfigSent,
    InstanceTypeChange,
    InstanceTypeSent,
    InstanceTypeView,
    instance_type,
)

READ = may(Verb.READ, Area.CLUSTERS)
HERE = "/api/admin/v1/resource_instances"
KIND = "resource_instance"


def instance_types(backing: Backing) -> APIRouter:
    """The routes of instance types."""
    routes = APIRouter(tags=["instance types"])
    kept = InstanceTypes(backing)

    @routes.get("/api/v1/instance_types")
    async def public(
        asked: Paged, cluster: Text = "", asker: Asker = READ
    ) -> tuple[InstanceTypeView, ...]:
        """The types that a deployment may name, by name."""
        check_cluster(cluster)
        return asked.page(await kept.views(asker, asked.q, asked.search), _same).items

    @routes.get(HERE)
    async def listed(asked: Paged, asker: Asker = READ) -> Listed[InstanceTypeView]:
        """All types, by name."""
        return asked.page(await kept.views(asker, asked.q, asked.search), _same)

    @routes.post(HERE)
    async def create(
        sent: InstanceTypeSent,
        asker: Asker = may(Verb.WRITE, Area.CLUSTERS, KIND, "created"),
    ) -> InstanceTypeView:
        """A new type; one of the name of a built-in type goes before that."""
        asker.doing.name = sent.name
        return await kept.create(sent)

    @routes.get(f"{HERE}/{{name}}")
    async def get(name: str, asker: Asker = READ) -> InstanceTypeView:
        """One type."""
        del asker  # is let in
        return await kept.view(await kept.found(name))

    @routes.patch(f"{HERE}/{{name}}")
    async def change(
        name: str,
        sent: InstanceTypeChange,
        asker: Asker = may(Verb.WRITE, Area.CLUSTERS, KIND, "updated"),
    ) -> InstanceTypeView:
        """Changes a type. A deployment goes by it from its next change on."""
        del asker  # is let in
        return await kept.change(name, sent)

    @routes.delete(f"{HERE}/{{name}}")
    async def delete(
        name: str, asker: Asker = may(Verb.WRITE, Area.CLUSTERS, KIND, "deleted")
    ) -> InstanceTypeView:
        """Forgets a type that no deployment names."""
        del asker  # is let in
        return await kept.delete(name)

    return routes


def _same(view: InstanceTypeView) -> InstanceTypeView:
    return view


class InstanceTypes:
    """The instance types of a mesh."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._catalogue = backing.catalogue

    async def views(self, asker: Asker, q: str = "", search: str = "") -> list[InstanceTypeView]:
        """Those that are meant, by name."""
        words = wanted(q, asker.user)
        found = [
            each
            for each in await known_types(self._catalogue)
            if search in each.name and words.words_allow(each.name)
        ]
        return await self.shown(found)

    async def shown(self, found: Sequence[InstanceType]) -> list[InstanceTypeView]:
        """Types as replies have them."""
        try:
            nodes = await self._backing.nodes()
        except Unavailable:  # what there is can be told nevertheless
            nodes = ()
        memory = {
            each.name: each.document.get("memory", "")
            for each in await self._catalogue.entries(Kind.GPU_CONFIG)
        }
        return [
            instance_type(_with_memory(each, memory), active=is_active(nodes, each.resources))
            for each in found
        ]

    async def view(self, found: InstanceType) -> InstanceTypeView:
        """One type as replies have it."""
        [view] = await self.shown([found])
        return view

    async def found(self, name: str) -> InstanceType:
        """One type. Raises NotFound."""
        entry = await self._catalogue.entry(Kind.INSTANCE_TYPE, name)
        if entry is not None:
            return of_entry(entry)
        if name not in DEFAULTS:
            raise NotFound(f"there is no instance type {name!r}")
        return built_in(name)

    async def create(self, sent: InstanceTypeSent) -> InstanceTypeView:
        """Keeps a new one. Raises ConfigError, AlreadyExists."""
        entry = self._entry(sent.name, sent.description or "", _config(sent.config))
        await self._catalogue.write(Put(entry, is_new=True))
        return await self.view(of_entry(entry))

    async def change(self, name: str, sent: InstanceTypeChange) -> InstanceTypeView:
        """Keeps it otherwise; a built-in one then is in the catalogue. Raises as `create`."""
        async with self._backing.changing:
            found = await self.found(name)
            description = found.description if sent.description is None else sent.description
            config = dict(found.config) if sent.config is None else _config(sent.config)
            entry = self._entry(name, description, config)
            if found.entry is not None:
                entry = replace(entry, uid=found.entry.uid, created_at=found.entry.created_at)
            await self._catalogue.write(Put(entry))
        return await self.view(of_entry(entry))

    async def delete(self, name: str) -> InstanceTypeView:
        """Forgets it. Raises NotFound, FailedPrecondition."""
        async with self._backing.changing, self._backing.verbs.unchanged():
            found = await self.found(name)
            if found.entry is None:
                raise FailedPrecondition(f"the instance type {name!r} is built in")
            verbs = self._backing.verbs
            users = [
                each.name
                for each in verbs.deployments()
                if name in types_in(verbs.current(each.name).config)
            ]
            if users:
                raise FailedPrecondition(
                    f"the instance type {name!r} is used by {', '.join(sorted(users))}"
                )
            await self._catalogue.write(Remove(found.entry))
        return await self.view(found)  # asks the cluster, for which no change is to wait

    def _entry(self, name: str, description: str, config: dict[str, Any]) -> Entry:
        now = self._backing.wall()
        return Entry(
            Kind.INSTANCE_TYPE,
            name,
            self._backing.new_uid(),
            now,
            now,
            {"description": description, "config": config},
        )


def _config(sent: ConfigSent) -> dict[str, Any]:
    """What is kept of a config. Raises ConfigError if a replica could not reserve it."""
    told = sent.model_dump(mode="json", exclude_none=True)
    resources = resources_in(told)
    amounts = told.get("resources", {})
    for part in ("requests", "limits"):
        found = amounts.setdefault(part, {})
        for key, amount in found.items():
            found[key] = (
                {name: str(each) for name, each in amount.items()}
                if key == "custom"
                else _text(amount)
            )
    gpu = told.get("gpu_config") or {}
    return {
        "group": told.get("group") or ("gpu" if resources.gpu else "cpu"),
        "price": told.get("price", ""),
        "resources": amounts,
        "node_selectors": told.get("node_selectors", {}),
        "tolerations": told.get("tolerations", []),
        "gpu_config": {"type": gpu["type"], "memory": gpu.get("memory", "")}
        if gpu.get("type")
        else None,
    }


def _text(amount: str | float) -> str:
    return amount if isinstance(amount, str) else f"{amount:g}"


def _with_memory(found: InstanceType, memory: dict[str, str]) -> InstanceType:
    """With how much memory its GPU has, as the catalogue of GPUs says."""
    gpu = found.config.get("gpu_config")
    if not gpu or gpu.get("memory") or not memory.get(gpu["type"]):
        return found
    config = {**found.config, "gpu_config": {**gpu, "memory": memory[gpu["type"]]}}
    return replace(found, config=config)
