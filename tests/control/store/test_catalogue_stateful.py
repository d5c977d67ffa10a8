"""Whatever is written to a catalogue on a file, it gives what one in memory gives."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mesh.control.store.catalogue import Deed, Deeds, Entry, Kind, Put, Remove, Used
from mesh.control.store.contract import Store
from mesh.control.store.memory import MemoryStore
from tests.control.store.stores import RETENTION, opened
from tests.control.store.test_stateful import DOCUMENTS, TEXTS, TIMES, outcome, tuples

# Few of each, so that entries meet; some that are refused.
KINDS = st.sampled_from([Kind.BENTO, Kind.SECRET])
NAMES = st.sampled_from(["a", "ab", "b%", "_", "é", "\0"])
SCOPES = st.sampled_from(["", "s"])
ORGANIZATIONS = st.sampled_from(["default", "acme"])
UIDS = st.sampled_from(["1", "2", "3", "4", "B"])
ENTRIES = st.builds(
    Entry,
    kind=KINDS,
    name=NAMES,
    uid=UIDS,
    created_at=st.integers(0, 2),
    updated_at=TIMES,
    document=DOCUMENTS,
    scope=SCOPES,
    organization=ORGANIZATIONS,
    secret=st.dictionaries(TEXTS, TEXTS, max_size=2),
)
CHANGES = tuples(st.builds(Put, ENTRIES, st.booleans()) | st.builds(Remove, ENTRIES))
WORDS = st.sampled_from(["", "a", "b"])
DEEDS = st.builds(
    Deed,
    at=st.integers(0, 5),
    uid=st.integers(0, 40).map(str),
    organization=WORDS,
    user=WORDS,
    token=TEXTS,
    resource_type=WORDS,
    name=TEXTS,
    operation=WORDS,
    status=WORDS,
    resource=DOCUMENTS,
)
WHICH = st.builds(
    Deeds,
    organization=WORDS,
    users=tuples(WORDS, 2),
    resource_types=tuples(WORDS, 2),
    operations=tuples(WORDS, 2),
    statuses=tuples(WORDS, 2),
    words=tuples(TEXTS, 1),
    since=st.integers(0, 5),
    until=st.integers(0, 5) | st.just(float("inf")),
    oldest_first=st.booleans(),
)
USED = st.builds(
    Used,
    hour=st.integers(0, 6).map(lambda hour: hour * 3600.0),
    organization=ORGANIZATIONS,
    deployment=WORDS,
    instance_type=WORDS,
    replica_seconds=TIMES,
    requests=st.integers(0, 2**40),
    errors=st.integers(0, 9),
)


class Catalogues(RuleBasedStateMachine):
    """A store in memory and one on a file, which are opened again at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.model: MemoryStore = MemoryStore(retention=RETENTION)
        self.store: Store = self._opened()

    def _opened(self) -> Store:
        return opened(str(Path(self.folder.name) / "mesh.db"))

    def both(self, call: Callable[[Store], Coroutine[Any, Any, Any]]) -> None:
        """Does the same to both."""

        async def each() -> tuple[Any, Any]:
            return await outcome(call(self.model)), await outcome(call(self.store))

        expected, found = self.runner.run(each())
        assert found == expected

    @rule(changes=CHANGES)
    def write(self, changes: tuple[Put | Remove, ...]) -> None:
        self.both(lambda store: store.catalogue.write(*changes))

    @rule(deeds=tuples(DEEDS, 8))
    def note(self, deeds: tuple[Deed, ...]) -> None:
        self.both(lambda store: store.journal.note(*deeds))

    @rule(used=tuples(USED))
    def add_used(self, used: tuple[Used, ...]) -> None:
        self.both(lambda store: store.journal.add_used(*used))

    @rule()
    def open_again(self) -> None:
        self.runner.run(self.store.close())
        self.store, self.model = self._opened(), self.model.reopened()

    @rule(kind=KINDS, name=NAMES, scope=SCOPES, organization=ORGANIZATIONS, uid=UIDS)
    def one(self, kind: Kind, name: str, scope: str, organization: str, uid: str) -> None:
        self.both(
            lambda store: store.catalogue.entry(kind, name, scope=scope, organization=organization)
        )
        self.both(lambda store: store.catalogue.entry_of(kind, uid))

    @rule(
        kind=KINDS,
        scope=SCOPES | st.none(),
        organization=ORGANIZATIONS | st.none(),
        search=NAMES | st.just(""),
        start=st.integers(0, 3),
        count=st.integers(0, 3) | st.none(),
    )
    def page(
        self,
        kind: Kind,
        scope: str | None,
        organization: str | None,
        search: str,
        start: int,
        count: int | None,
    ) -> None:
        which = {"scope": scope, "organization": organization, "search": search}
        self.both(
            lambda store: store.catalogue.entries(kind, start=start, count=count, **which)  # type: ignore[arg-type]  # of several types
        )
        self.both(lambda store: store.catalogue.count_entries(kind, **which))  # type: ignore[arg-type]  # of several types

    @rule(which=WHICH, start=st.integers(0, 3), count=st.integers(0, 5))
    def deeds(self, which: Deeds, start: int, count: int) -> None:
        self.both(lambda store: store.journal.deeds(which, start, count))
        self.both(lambda store: store.journal.count_deeds(which))

    @invariant()
    def has_the_same_in_it(self) -> None:
        for kind in (Kind.BENTO, Kind.SECRET):
            self.both(lambda store, kind=kind: store.catalogue.entries(kind, organization=None))
        self.both(lambda store: store.journal.deeds(Deeds()))
        self.both(lambda store: store.journal.used(0.0, 9e9))

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()


Catalogues.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestCatalogues = Catalogues.TestCase
