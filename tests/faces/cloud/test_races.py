"""Two changes of one entry at once: none is lost, and what is deleted stays so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from mesh.access.directory import Directory
from mesh.access.principal import OWNER
from mesh.control.store.catalogue import Catalogue, Entry, Kind, Put, Remove
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.errors import NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.organization.limit_groups import LimitGroups
from mesh.faces.cloud.organization.secrets import Secrets
from mesh.faces.cloud.permission import Asker
from mesh.faces.cloud.wire.limit_groups import LimitGroupChange
from mesh.faces.cloud.wire.secrets import SecretChange
from mesh.faces.notes import Doing
from tests.control.store.stores import async_test

ASKER = Asker(OWNER, Doing("", ""))


class Slow(MemoryCatalogue):
    """Lets others go on in between, as one that is reached over a network does."""

    async def entry(self, kind: Kind, name: str, **where: Any) -> Entry | None:
        found = await super().entry(kind, name, **where)
        await asyncio.sleep(0)
        return found

    async def write(self, *changes: Put | Remove) -> None:
        await asyncio.sleep(0)
        await super().write(*changes)


class Nothing:
    """Verbs of a mesh in which nothing is deployed."""

    def deployments(self) -> tuple[()]:
        return ()

    @asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        yield


def backing(catalogue: Catalogue) -> Backing:
    access = Directory.closed(catalogue, "t0ken")
    return Backing(cast("Any", Nothing()), catalogue, cast("Any", None), access)


Change = Callable[[str], Awaitable[Entry]]
Delete = Callable[[], Awaitable[Entry]]


def of_secrets(there: Backing) -> tuple[Change, Change, Delete]:
    kept = Secrets(there)
    content = {"type": "env", "items": [{"key": "B", "value": "2"}]}
    return (
        lambda text: kept.change(ASKER, "e", SecretChange(description=text)),
        lambda path: kept.change(
            ASKER, "e", SecretChange.model_validate({"content": {**content, "path": path}})
        ),
        lambda: kept.delete(ASKER, "e"),
    )


def of_limit_groups(there: Backing) -> tuple[Change, Change, Delete]:
    kept = LimitGroups(there)
    return (
        lambda text: kept.change("e", LimitGroupChange.model_validate({"description": text})),
        lambda _: kept.change("e", LimitGroupChange.model_validate({"config": {"bento_count": 1}})),
        lambda: kept.delete("e"),
    )


KINDS = pytest.mark.parametrize(
    ("kind", "changes"),
    [(Kind.SECRET, of_secrets), (Kind.LIMIT_GROUP, of_limit_groups)],
)


async def kept(kind: Kind) -> Slow:
    catalogue = Slow()
    await catalogue.write(Put(Entry(kind, "e", "u", 0.0, 0.0, {}), is_new=True))
    return catalogue


@KINDS
@async_test
async def test_two_changes_at_once_are_both_kept(kind: Kind, changes: Any) -> None:
    catalogue = await kept(kind)
    one, other, _ = changes(backing(catalogue))
    await asyncio.gather(one("about"), other(""))
    entry = await catalogue.entry(kind, "e")
    assert entry is not None
    assert entry.document["description"] == "about"
    assert entry.document.keys() - {"description"}


@KINDS
@async_test
async def test_a_change_does_not_bring_back_what_is_being_deleted(kind: Kind, changes: Any) -> None:
    catalogue = await kept(kind)
    change, _, delete = changes(backing(catalogue))
    _, late = await asyncio.gather(delete(), change("about"), return_exceptions=True)
    assert isinstance(late, NotFound)
    assert await catalogue.entry(kind, "e") is None
