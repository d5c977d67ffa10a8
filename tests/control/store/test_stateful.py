"""Whatever is done to a store on a file, it gives what a store in memory gives."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mesh.control.records import (
    Change,
    DeploymentRecord,
    EndpointRecord,
    Event,
    Intent,
    RevisionRecord,
    VersionRecord,
)
from mesh.control.store.contract import Store
from mesh.control.store.memory import MemoryStore
from mesh.errors import MeshError
from tests.control.store.stores import RETENTION, opened

# Few of each, so that records meet.
NAMES = st.sampled_from("abc")
NUMBERS = st.integers(1, 4)
IDS = st.sampled_from(["v1", "v2", "v3"])
TIMES = st.integers(0, 2**40).map(lambda number: number / 8)
# With what databases do not take.
TEXTS = st.text(st.characters(), max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)
DOCUMENTS = st.dictionaries(TEXTS, JSON, max_size=3)
INTENTS = st.sampled_from(Intent)


def tuples(each: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(each, max_size=most).map(tuple)


CHANGES = st.builds(
    Change,
    deployments=tuples(
        st.builds(
            DeploymentRecord,
            name=NAMES,
            uid=st.just("uid"),
            created_at=TIMES,
            updated_at=TIMES,
            revision=NUMBERS,
            intent=INTENTS,
            standing=st.dictionaries(NAMES, tuples(IDS, 2), max_size=2),
            progress=DOCUMENTS,
        )
    ),
    revisions=tuples(
        st.builds(
            RevisionRecord,
            deployment=NAMES,
            number=NUMBERS,
            uid=st.just("uid"),
            created_at=TIMES,
            config=DOCUMENTS,
            versions=st.dictionaries(NAMES, IDS, max_size=2),
            generation=NUMBERS,
            cause=TEXTS,
        )
    ),
    versions=tuples(
        st.builds(
            VersionRecord,
            deployment=NAMES,
            id=IDS,
            document=DOCUMENTS,
            code=st.binary(max_size=9),
        )
    ),
    endpoints=tuples(
        st.builds(
            EndpointRecord,
            name=NAMES,
            uid=st.just("uid"),
            created_at=TIMES,
            updated_at=TIMES,
            config=DOCUMENTS,
            intent=INTENTS,
            keys=st.dictionaries(st.integers(0, 9), TEXTS, max_size=2),
        )
    ),
    events=tuples(
        st.builds(
            Event,
            at=TIMES,
            kind=st.sampled_from(["change", "status"]),
            deployment=NAMES | st.just(""),
            endpoint=NAMES | st.just(""),
            revision=NUMBERS,
            reason=TEXTS,
        ),
        most=8,
    ),
    deleted_deployments=tuples(NAMES, 1),
    deleted_endpoints=tuples(NAMES, 1),
)


async def outcome(call: Coroutine[Any, Any, Any]) -> Any:
    """What a call gives, or the error it ends with."""
    try:
        return await call
    except MeshError as error:
        return error.code, error.message.partition(" (store ")[0]


class Stores(RuleBasedStateMachine):
    """A store in memory and one on a file, which are opened again at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.model: MemoryStore = MemoryStore(retention=RETENTION)
        self.store: Store = self._opened()
        self.last = Change()

    def _opened(self) -> Store:
        return opened(str(Path(self.folder.name) / "mesh.db"))

    def both(self, call: Callable[[Store], Coroutine[Any, Any, Any]]) -> Any:
        """Does the same to both; returns what both gave."""

        async def each() -> tuple[Any, Any]:
            return await outcome(call(self.model)), await outcome(call(self.store))

        expected, found = self.runner.run(each())
        assert found == expected
        return found

    @rule(change=CHANGES)
    def commit(self, change: Change) -> None:
        self.last = change
        self.both(lambda store: store.commit(change))

    @rule()
    def commit_the_last_again(self) -> None:
        last = self.last
        self.both(lambda store: store.commit(last))

    @rule()
    def open_after_closing(self) -> None:
        self.runner.run(self.store.close())
        self.store, self.model = self._opened(), self.model.reopened()

    @rule(change=CHANGES)
    def take_over(self, change: Change) -> None:
        old, old_model = self.store, self.model
        self.store, self.model = self._opened(), self.model.reopened()

        async def refused() -> None:
            assert await outcome(old.commit(change)) == await outcome(old_model.commit(change))
            await old.close()

        self.runner.run(refused())

    @rule(name=NAMES, number=NUMBERS)
    def revision(self, name: str, number: int) -> None:
        self.both(lambda store: store.revision(name, number))

    @rule(name=NAMES, start=st.integers(0, 3), count=st.integers(0, 3))
    def page(self, name: str, start: int, count: int) -> None:
        self.both(lambda store: store.revisions(name, start=start, count=count))
        self.both(lambda store: store.events(deployment=name, start=start, count=count))
        self.both(lambda store: store.events(endpoint=name, start=start, count=count))
        self.both(lambda store: store.count_revisions(name))

    @invariant()
    def has_the_same_in_it(self) -> None:
        self.both(lambda store: store.load())
        self.both(lambda store: store.events())

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()


Stores.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestStores = Stores.TestCase
