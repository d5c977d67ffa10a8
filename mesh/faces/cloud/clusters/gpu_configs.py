"""Kinds of GPUs over the cloud API: how much memory each has, for those who choose a type."""

from dataclasses import replace

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.control.instance_types import known_types
from mesh.control.store.catalogue import Entry, Kind, Put, Remove
from mesh.errors import FailedPrecondition, NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.parameters import Paged
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.wire.instance_types import (
    GpuConfigChange,
    GpuConfigSent,
    GpuConfigView,
    gpu_config,
)

READ = may(Verb.READ, Area.CLUSTERS)
HERE = "/api/admin/v1/gpu_configs"
KIND = "gpu_config"


def gpu_configs(backing: Backing) -> APIRouter:
    """The routes of kinds of GPUs."""
    routes = APIRouter(tags=["instance types"])
    catalogue = backing.catalogue

    @routes.get(HERE)
    async def listed(asked: Paged, asker: Asker = READ) -> tuple[GpuConfigView, ...]:
        """All kinds, the newest first."""
        del asker  # is let in; nothing but names is looked for
        found = await catalogue.entries(Kind.GPU_CONFIG, search=asked.search)
        return asked.page(found, gpu_config).items

    @routes.post(HERE)
    async def create(
        sent: GpuConfigSent, asker: Asker = may(Verb.WRITE, Area.CLUSTERS, KIND, "created")
    ) -> GpuConfigView:
        """A new kind."""
        asker.doing.name = sent.name
        now = backing.wall()
        document = {"vendor": sent.vendor or "", "memory": sent.memory or ""}
        entry = Entry(Kind.GPU_CONFIG, sent.name, backing.new_uid(), now, now, document)
        await catalogue.write(Put(entry, is_new=True))
        return gpu_config(entry)

    @routes.get(f"{HERE}/{{name}}")
    async def get(name: str, asker: Asker = READ) -> GpuConfigView:
        """One kind."""
        del asker  # is let in
        return gpu_config(await _found(backing, name))

    @routes.patch(f"{HERE}/{{name}}")
    async def change(
        name: str,
        sent: GpuConfigChange,
        asker: Asker = may(Verb.WRITE, Area.CLUSTERS, KIND, "updated"),
    ) -> GpuConfigView:
        """Changes what is said of a kind."""
        del asker  # is let in
        async with backing.changing:
            entry = await _found(backing, name)
            document = {**entry.document, **sent.model_dump(exclude_none=True)}
            changed = replace(entry, document=document, updated_at=backing.wall())
            await catalogue.write(Put(changed))
        return gpu_config(changed)

    @routes.delete(f"{HERE}/{{name}}")
    async def delete(
        name: str, asker: Asker = may(Verb.WRITE, Area.CLUSTERS, KIND, "deleted")
    ) -> GpuConfigView:
        """Forgets a kind that no instance type of the catalogue has."""
        del asker  # is let in
        async with backing.changing:
            entry = await _found(backing, name)
            having = [
                each.name
                for each in await known_types(catalogue)
                if each.entry is not None and each.resources.gpu_type == name
            ]
            if having:
                raise FailedPrecondition(f"the GPU {name!r} is that of {', '.join(having)}")
            await catalogue.write(Remove(entry))
        return gpu_config(entry)

    return routes


async def _found(backing: Backing, name: str) -> Entry:
    entry = await backing.catalogue.entry(Kind.GPU_CONFIG, name)
    if entry is None:
        raise NotFound(f"there is no GPU {name!r}")
    return entry
