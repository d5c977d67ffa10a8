"""The limits of organizations as they are kept, and what is taken in within them."""

import asyncio
from typing import Any

import pytest

from mesh.control.admission import (
    admit_archive,
    admit_members,
    admit_release,
    admit_to_cluster,
    largest,
    limits_of,
    members_of,
)
from mesh.control.store.catalogue import Entry, Kind, Put
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.errors import PermissionDenied, QuotaExceeded


def entry(
    kind: Kind, name: str, scope: str = "", organization: str = "acme", **document: Any
) -> Put:
    return Put(Entry(kind, name, f"{kind}-{scope}-{name}", 0, 0, document, scope, organization))


async def acme(**limits: Any) -> MemoryCatalogue:
    """An organization with these limits, and others with none."""
    kept = MemoryCatalogue()
    await kept.write(
        entry(Kind.LIMIT_GROUP, "small", organization="default", config=limits),
        entry(Kind.ORGANIZATION, "acme", limit_group="small", clusters={"default": ""}),
        entry(Kind.ORGANIZATION, "free", organization="free"),
        entry(Kind.BENTO, "v1", "shelf"),
        entry(Kind.MODEL, "v1", "shelf"),
        entry(Kind.MEMBER, "ann"),
        entry(Kind.MEMBER, "ann", "default"),
    )
    return kept


def test_an_organization_has_the_limits_of_its_group() -> None:
    async def run() -> None:
        kept = await acme(bento_count=3)
        found = await limits_of(kept, "acme")
        assert found is not None
        assert (found.group, found.limits.bento_count) == ("small", 3)
        assert await limits_of(kept, "free") is None
        assert await limits_of(kept, "nobody") is None
        assert await members_of(kept, "small") == ("acme",)

    asyncio.run(run())


def test_one_more_is_taken_in_while_the_count_allows_it() -> None:
    async def run() -> None:
        enough = await acme(bento_count=2, model_count=2, member_count=2)
        few = await acme(bento_count=1, model_count=1, member_count=1)
        for kind, key in ((Kind.BENTO, "bento_count"), (Kind.MODEL, "model_count")):
            await admit_release(enough, "acme", kind)
            await admit_release(few, "free", kind)
            with pytest.raises(QuotaExceeded, match=f"{key} .* is 1: there are 1"):
                await admit_release(few, "acme", kind)
        await admit_members(enough, "acme")
        with pytest.raises(QuotaExceeded, match="member_count"):
            await admit_members(enough, "acme", 2)
        with pytest.raises(QuotaExceeded, match=r"member_count .* is 1: there are 1"):
            await admit_members(few, "acme")

    asyncio.run(run())


def test_an_archive_is_no_larger_than_it_may_be() -> None:
    async def run() -> None:
        kept = await acme(bento_size="1Ki")
        assert await largest(kept, "acme", Kind.BENTO) == 1024
        assert await largest(kept, "acme", Kind.MODEL) is None
        await admit_archive(kept, "acme", Kind.BENTO, 1024)
        await admit_archive(kept, "acme", Kind.MODEL, 1025)
        await admit_archive(kept, "free", Kind.BENTO, 1025)
        with pytest.raises(QuotaExceeded, match=r"bento_size .* is 1024 bytes: this has 1025"):
            await admit_archive(kept, "acme", Kind.BENTO, 1025)

    asyncio.run(run())


def test_an_organization_that_may_not_use_the_cluster_runs_nothing() -> None:
    async def run() -> None:
        kept = await acme()
        await admit_to_cluster(kept, "acme")
        await admit_to_cluster(kept, "nobody")
        with pytest.raises(PermissionDenied, match=r"'free' may not use cluster 'default'"):
            await admit_to_cluster(kept, "free")

    asyncio.run(run())
