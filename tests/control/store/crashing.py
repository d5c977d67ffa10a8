"""A process that commits one change after another, until it is killed."""

import asyncio
import os
import signal
import sys

from sqlalchemy import event as events

from mesh.control.records import Change
from mesh.control.store.catalogue import Entry, Kind, Put, Remove
from mesh.control.store.contract import Store
from mesh.control.store.database import Database, reach
from mesh.control.store.location import AtServer, InFile, locate
from mesh.control.store.sql import SqlStore
from tests.control.store.records import deployment, endpoint, entry, event, revision, version
from tests.control.store.stores import SEAL, opened

BLOB = bytes(range(256)) * 200


def change(number: int) -> Change:
    """A change that touches every table; all of it has `number` in it."""
    return Change(
        deployments=(deployment("d", number), deployment(f"other-{number}")),
        revisions=(revision("d", number),),
        versions=(version("d", number, code=BLOB + b"%d" % number),),
        endpoints=(endpoint(config={"number": number}, keys={0: f"key-{number}"}),),
        events=(event(float(number)),),
        deleted_deployments=(f"other-{number - 1}",),
    )


async def reached(store: Store) -> int:
    """The number of the last change; everything in the store must be of it."""
    state = await store.load()
    if not state.deployments:
        assert not state.endpoints
        assert await store.events() == ()
        return 0
    number = state.deployments["d"].revision
    expected = change(number)
    assert state.deployments == {each.name: each for each in expected.deployments}
    assert state.revisions == {"d": expected.revisions[0]}
    assert state.versions == {("d", expected.versions[0].id): expected.versions[0]}
    assert state.endpoints == {"e": expected.endpoints[0]}
    assert await store.count_revisions("d") == number
    assert (await store.events(count=1)) == expected.events
    return number


def killed_at(database: Database, step: int) -> None:
    """Has this process killed before the statement or commit with this number, from 1."""
    left = step

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("before_cursor_execute", "commit"):
        events.listen(database.writer, name, count)


def open_one(url: str, step: int) -> None:
    """Opens the store, but is killed at a step of it."""
    location = locate(url)
    assert isinstance(location, InFile | AtServer)
    database = reach(location)
    killed_at(database, step)
    asyncio.run(SqlStore.open(database, SEAL).close())


def commit_one(url: str, step: int) -> None:
    """Commits the next change, but is killed at a step of it."""
    asyncio.run(_commit_one(url, step))


async def _commit_one(url: str, step: int) -> None:
    store = opened(url)
    number = await reached(store)
    killed_at(store._database, step)
    await store.commit(change(number + 1))
    await store.close()


def entries_of(number: int) -> tuple[Entry, ...]:
    """Entries that one write makes; all of them have `number` in them."""
    return tuple(
        entry(name, document={"number": number}, secret={"number": f"{number}"})
        for name in ("one", "two", f"odd-{number}")
    )


async def written(store: Store) -> int:
    """The number of the last write; everything in the catalogue must be of it."""
    found = {each.name: each for each in await store.catalogue.entries(Kind.BENTO)}
    number: int = found["one"].document["number"] if found else 0
    assert found == ({each.name: each for each in entries_of(number)} if found else {})
    return number


def write_one(url: str, step: int) -> None:
    """Writes the next entries, but is killed at a step of it."""
    asyncio.run(_write_one(url, step))


async def _write_one(url: str, step: int) -> None:
    store = opened(url)
    number = await written(store)
    killed_at(store._database, step)
    gone = [Remove(each) for each in entries_of(number)[2:] if number]
    await store.catalogue.write(*gone, *(Put(each) for each in entries_of(number + 1)))
    await store.close()


async def commit_forever(url: str) -> None:
    store = opened(url)
    number = await reached(store)
    while True:
        number += 1
        await store.commit(change(number))
        print(number, flush=True)


if __name__ == "__main__":
    asyncio.run(commit_forever(sys.argv[1]))
