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
from mesh.control.store.catalogue import Entry, Kind, Put, Remove
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


class Moving(MemoryCatalogue):
    """Moves `acme` into the group `new` and ends the one it was in, once, after it was read."""

    moved = False

    async def entry(self, kind: Kind, name: str, **where: Any) -> Entry | None:
        found = await super().entry(kind, name, **where)
        if not self.moved and name == "acme":
            self.moved = True
            old = await super().entry(Kind.LIMIT_GROUP, "small")
            assert old is not None
            await self.write(
                entry(Kind.LIMIT_GROUP, "new", organization="default", config={"bento_count": 7}),
                entry(Kind.ORGANIZATION, "acme", limit_group="new"),
                Remove(old),
            )
        return found


def test_who_comes_into_another_group_meanwhile_is_never_without_limits() -> None:
    async def run() -> None:
        kept = Moving()
        await kept.write(
            entry(Kind.LIMIT_GROUP, "small", organization="default", config={}),
            entry(Kind.ORGANIZATION, "acme", limit_group="small"),
        )
        found = await limits_of(kept, "acme")
        assert found is not None
        assert (found.group, found.limits.bento_count) == ("new", 7)

    asyncio.run(run())


def test_a_group_that_is_lost_limits_nothing() -> None:
    async def run() -> None:
        kept = MemoryCatalogue()
        await kept.write(entry(Kind.ORGANIZATION, "acme", limit_group="lost"))
        assert await limits_of(kept, "acme") is None

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
