"""What is left behind in the registry is cleared away: uploads given up, archives of nothing."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from mesh.control.store.catalogue import Entry, Kind, Remove
from mesh.errors import NotFound
from mesh.releases.blobs import sweep
from mesh.releases.packages import BENTOS, FAMILIES, MODELS, Family, package_of
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
        await tidy(registry)
        await asyncio.sleep(EVERY)


async def tidy(registry: Registry) -> None:
    """Clears away once. What fails is logged, and left for the next time."""
    incoming, kept = registry.vault.incoming, registry.limits.kept
    with _alone("files on their way"):
        await asyncio.to_thread(sweep, incoming, kept, registry.wall)
    with _alone("parts on their way"):
        await asyncio.to_thread(sweep_parts, incoming, kept, registry.wall)
    with _alone("uploads"):
        await _give_up_uploads(registry)
    for family in (BENTOS, MODELS):
        with _alone(f"earlier archives of a {family.word}"):
            await _forget_earlier(registry, family)
    with _alone("archives"):
        await _drop_unnamed(registry)


@contextmanager
def _alone(what: str) -> Iterator[None]:
    """Logs what goes wrong in the block, which then ends; what comes after it goes on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # whatever it is, the rest is cleared
        _log.warning("the registry is not cleared of %s: %r", what, error)


async def _give_up_uploads(registry: Registry) -> None:
    incoming, kept = registry.vault.incoming, registry.limits.kept
    for upload in await registry.catalogue.entries(Kind.UPLOAD, organization=None):
        with _alone(f"upload {upload.name}"):
            is_there = await asyncio.to_thread((incoming / f"parts-{upload.name}").is_dir)
            if not is_there and upload.created_at < registry.wall() - kept:
                await _give_up(registry, upload)


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


async def _forget_earlier(registry: Registry, family: Family) -> None:
    """Lets go of the archives that versions had before, where no deployment may still use them."""
    for entry in await registry.catalogue.entries(family.version, organization=None):
        with _alone(f"earlier archives of {entry.scope}:{entry.name}"), suppress(NotFound):
            package = package_of(family, entry)
            if package.earlier and not await registry.uses_of(package):
                async with registry.changing(package) as changing:
                    if changing.now.earlier == package.earlier:
                        changing.made = replace(changing.now, earlier=())


async def _drop_unnamed(registry: Registry) -> None:
    before = registry.wall() - YOUNG
    old = frozenset(kept.digest for kept in await registry.vault.all() if kept.changed_at < before)
    await registry.drop(old)
