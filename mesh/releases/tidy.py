"""What is left behind in the registry is cleared away: uploads given up, archives of nothing."""

import asyncio
import logging
from dataclasses import replace

from mesh.control.store.catalogue import Entry, Kind, Remove
from mesh.errors import MeshError, NotFound
from mesh.releases.blobs import sweep
from mesh.releases.packages import BENTOS, FAMILIES, MODELS, package_of
from mesh.releases.parts import sweep_parts
from mesh.releases.registry import Registry

EVERY = 3600.0
"""Seconds between two times."""
YOUNG = 24 * 3600.0
"""Seconds for which an archive is left alone, whatever names it."""
_log = logging.getLogger(__name__)


async def keep_tidy(registry: Registry) -> None:
    """Clears away for ever, now and then."""
    while True:
        try:
            await tidy(registry)
        except MeshError as error:
            _log.warning("the registry is not cleared: %s", error.message)
        await asyncio.sleep(EVERY)


async def tidy(registry: Registry) -> None:
    """Clears away once. Raises what the methods of `Catalogue` and `Blobs` raise."""
    incoming, kept = registry.vault.incoming, registry.limits.kept
    await asyncio.to_thread(sweep, incoming, kept, registry.wall)
    await asyncio.to_thread(sweep_parts, incoming, kept, registry.wall)
    for upload in await registry.catalogue.entries(Kind.UPLOAD, organization=None):
        is_there = await asyncio.to_thread((incoming / f"parts-{upload.name}").is_dir)
        if not is_there and upload.created_at < registry.wall() - kept:
            await _give_up(registry, upload)
    await _forget_earlier(registry)
    await _drop_unnamed(registry)


async def _give_up(registry: Registry, upload: Entry) -> None:
    family = FAMILIES.get(str(upload.document.get("family")))
    uid = str(upload.document.get("uid"))
    entry = await registry.catalogue.entry_of(family.version, uid) if family else None
    if family is None or entry is None:
        await registry.catalogue.write(Remove(upload))
        return
    try:
        async with registry.changing(package_of(family, entry)) as changing:
            changing.made = replace(changing.now, upload_id="")
            changing.changes.append(Remove(upload))
    except NotFound:
        await registry.catalogue.write(Remove(upload))


async def _forget_earlier(registry: Registry) -> None:
    """Lets go of the archives that versions had before, where no deployment may still use them."""
    for family in (BENTOS, MODELS):
        for entry in await registry.catalogue.entries(family.version, organization=None):
            package = package_of(family, entry)
            if package.earlier and not await registry.uses_of(package):
                async with registry.changing(package) as changing:
                    if changing.now.earlier == package.earlier:
                        changing.made = replace(changing.now, earlier=())


async def _drop_unnamed(registry: Registry) -> None:
    before = registry.wall() - YOUNG
    old = frozenset(kept.digest for kept in await registry.vault.all() if kept.changed_at < before)
    await registry.drop(old)
