"""Groups of limits over the cloud API, for administrators.

An organization is put into a group by a change of the organization.
"""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.config import parse
from mesh.config.limits import Limits
from mesh.control.admission import limit_group as found_group, limits_in, members_of
from mesh.control.store.catalogue import Entry, Kind, Put, Remove
from mesh.errors import ConfigError, FailedPrecondition
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.clusters.instance_types import InstanceTypes
from mesh.faces.cloud.parameters import Paged, Paging
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.wire.base import Listed
from mesh.faces.cloud.wire.limit_groups import (
    LimitGroupChange,
    LimitGroupSent,
    LimitGroupView,
    TypeAllowed,
    limit_group,
)

READ = may(Verb.READ, Area.CLUSTERS)
HERE = "/api/admin/v1/limit_groups"
KIND = "limit_group"


def limit_groups(backing: Backing) -> APIRouter:
    """The routes of groups of limits."""
    routes = APIRouter(tags=["limits"])
    kept = LimitGroups(backing)

    @routes.get(HERE)
    async def listed(asked: Paged, asker: Asker = READ) -> Listed[LimitGroupView]:
        """All groups, the newest first."""
        return await kept.listed(asker, asked)

    @routes.post(HERE)
    async def create(
        sent: LimitGroupSent, asker: Asker = may(Verb.WRITE, Area.CLUSTERS, KIND, "created")
    ) -> LimitGroupView:
        """A new group."""
        asker.doing.name = sent.name
        return await kept.view(asker, await kept.create(sent))

    @routes.get(f"{HERE}/{{name}}")
    async def get(name: str, asker: Asker = READ) -> LimitGroupView:
        """One group."""
        return await kept.view(asker, await found_group(backing.catalogue, name))

    @routes.patch(f"{HERE}/{{name}}")
    async def change(
        name: str,
        sent: LimitGroupChange,
        asker: Asker = may(Verb.WRITE, Area.CLUSTERS, KIND, "updated"),
    ) -> LimitGroupView:
        """Changes a group; what is there already stays, however large it is."""
        return await kept.view(asker, await kept.change(name, sent))

    @routes.delete(f"{HERE}/{{name}}")
    async def delete(
        name: str, asker: Asker = may(Verb.WRITE, Area.CLUSTERS, KIND, "deleted")
    ) -> LimitGroupView:
        """Forgets a group that no organization is in."""
        return await kept.view(asker, await kept.delete(name))

    return routes


OF_OTHERS = frozenset(
    {
        "disable_grafana",
        "has_kube_access",
        "image_builder_pod_resource_cpu_limit",
        "image_builder_pod_resource_gpu_limit",
        "image_builder_pod_resource_memory_limit",
        "internal",
        "organization_lifespan",
        "plan_type",
        "roles",
    }
)
"""Keys of the published config that limit nothing here; they are kept."""


class LimitGroups:
    """The groups of limits of a mesh."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._catalogue = backing.catalogue
        self._types = InstanceTypes(backing)

    async def listed(self, asker: Asker, asked: Paging) -> Listed[LimitGroupView]:
        """A page of them."""
        found = await self._catalogue.entries(
            Kind.LIMIT_GROUP, search=asked.search, start=asked.begin, count=asked.count
        )
        views = [await self.view(asker, each) for each in found]
        return Listed(
            start=asked.begin,
            count=len(views) if asked.count is None else asked.count,
            total=await self._catalogue.count_entries(Kind.LIMIT_GROUP, search=asked.search),
            items=tuple(views),
        )

    async def create(self, sent: LimitGroupSent) -> Entry:
        """Keeps a new one. Raises ConfigError, AlreadyExists."""
        now = self._backing.wall()
        document = {
            **sent.model_dump(exclude={"name"}, exclude_none=True),
            "config": _config(sent.config),
        }
        entry = Entry(Kind.LIMIT_GROUP, sent.name, self._backing.new_uid(), now, now, document)
        await self._catalogue.write(Put(entry, is_new=True))
        return entry

    async def change(self, name: str, sent: LimitGroupChange) -> Entry:
        """Keeps it otherwise. Raises NotFound, ConfigError."""
        async with self._backing.changing:
            entry = await found_group(self._catalogue, name)
            document = {**entry.document, **sent.model_dump(exclude_none=True)}
            if sent.config is not None:
                document["config"] = _config(sent.config)
            changed = replace(entry, document=document, updated_at=self._backing.wall())
            await self._catalogue.write(Put(changed))
        return changed

    async def delete(self, name: str) -> Entry:
        """Forgets it. Raises NotFound, FailedPrecondition."""
        async with self._backing.changing:
            entry = await found_group(self._catalogue, name)
            if inside := await members_of(self._catalogue, name):
                raise FailedPrecondition(f"the limit group {name!r} holds for {', '.join(inside)}")
            await self._catalogue.write(Remove(entry))
        return entry

    async def view(self, asker: Asker, entry: Entry) -> LimitGroupView:
        """It as replies have it."""
        rules = {each.name: each.active for each in limits_in(entry).resource_instance_list or ()}
        types = await self._types.views(asker) if rules else []
        allowed = tuple(
            TypeAllowed(active=rules[each.name], resource_instance=each)
            for each in types
            if each.name in rules
        )
        return limit_group(entry, allowed)


def _config(sent: dict[str, Any] | None) -> dict[str, Any]:
    """A config as it was sent, if it is one. Raises ConfigError."""
    for key in sent or {}:
        if key not in Limits.model_fields and key not in OF_OTHERS:
            known = ", ".join(sorted(Limits.model_fields))
            raise ConfigError(f"config.{key}: there is no such limit; there are {known}")
    parse(Limits, sent or {}, what="config")
    return {key: value for key, value in (sent or {}).items() if value is not None}
