"""What every catalogue keeps to, asked of that of each store."""

from dataclasses import replace
from typing import Any

import pytest

from mesh.control.store.catalogue import Entry, Kind, Put, Remove
from mesh.control.store.contract import Store
from mesh.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from tests.control.store.records import entry
from tests.control.store.stores import Opener, async_test

FULL = entry(
    "1.0",
    scope="summary",
    organization="acme",
    document={"a": [1, None, {"b": "é😀\0"}]},
    secret={"key": "s3cret", "ключ": "\0\ud800"},
)


async def names(store: Store, kind: Kind = Kind.BENTO, **which: Any) -> list[str]:
    found = [each.name for each in await store.catalogue.entries(kind, **which)]
    which = {name: value for name, value in which.items() if name not in ("start", "count")}
    counted = await store.catalogue.count_entries(kind, **which)
    assert counted >= len(found)
    return found


@async_test
async def test_what_was_written_is_there_when_the_store_is_opened_again(opener: Opener) -> None:
    store = opener()
    await store.catalogue.write(Put(FULL, is_new=True))
    await store.close()
    store = opener()
    asked = {"scope": "summary", "organization": "acme"}
    found = await store.catalogue.entry(Kind.BENTO, "1.0", **asked)
    assert found == FULL
    assert found is not None
    assert found.secret == FULL.secret
    assert await store.catalogue.entry_of(Kind.BENTO, FULL.uid) == FULL
    assert await store.catalogue.entries(Kind.BENTO, **asked) == (FULL,)
    await store.close()


@async_test
async def test_an_entry_is_found_by_its_whole_key_only(opener: Opener) -> None:
    store = opener()
    await store.catalogue.write(Put(FULL))
    entries = store.catalogue
    assert await entries.entry(Kind.BENTO, "1.0") is None
    assert await entries.entry(Kind.BENTO, "1.0", scope="summary") is None
    assert await entries.entry(Kind.BENTO, "1.0", organization="acme") is None
    assert await entries.entry(Kind.MODEL, "1.0", scope="summary", organization="acme") is None
    assert await entries.entry_of(Kind.MODEL, FULL.uid) is None
    assert await entries.entry_of(Kind.BENTO, "uid") is None
    await store.close()


@async_test
async def test_what_is_new_is_refused_where_there_is_something(opener: Opener) -> None:
    store = opener()
    await store.catalogue.write(Put(entry("one"), is_new=True))
    before = await store.catalogue.entries(Kind.BENTO)
    new = entry("two"), entry("one", uid="other")
    with pytest.raises(AlreadyExists, match=r"^there is a bento 'one' already$"):
        await store.catalogue.write(*(Put(each, is_new=True) for each in new))
    assert await store.catalogue.entries(Kind.BENTO) == before
    # Other kinds, scopes and organizations are other places.
    others = (
        entry("one", Kind.MODEL),
        entry("one", scope="s", uid="s"),
        entry("one", organization="o", uid="o"),
    )
    await store.catalogue.write(*(Put(each, is_new=True) for each in others))
    assert await store.catalogue.count_entries(Kind.BENTO, organization=None) == 3
    await store.close()


@async_test
async def test_no_two_entries_of_a_kind_have_one_uid(opener: Opener) -> None:
    store = opener()
    await store.catalogue.write(Put(entry("one")))
    for is_new in (True, False):
        with pytest.raises(AlreadyExists, match=r"^bento 'two' has the uid of another$"):
            await store.catalogue.write(Put(entry("two", uid="uid-one"), is_new))
    # An entry that gets another name keeps its uid.
    await store.catalogue.write(Remove(entry("one")), Put(entry("two", uid="uid-one"), True))
    found = await store.catalogue.entry_of(Kind.BENTO, "uid-one")
    assert found is not None
    assert found.name == "two"
    await store.close()


@async_test
async def test_a_later_write_replaces_all_of_an_entry(opener: Opener) -> None:
    store = opener()
    await store.catalogue.write(Put(FULL))
    new = replace(FULL, uid="new", updated_at=9.0, document={}, secret={})
    await store.catalogue.write(Put(new))
    assert await store.catalogue.entries(Kind.BENTO, organization=None) == (new,)
    assert await store.catalogue.entry_of(Kind.BENTO, FULL.uid) is None
    await store.close()


@async_test
async def test_changes_happen_in_their_order(opener: Opener) -> None:
    store = opener()
    one, two = entry("one"), entry("one", uid="two")
    await store.catalogue.write(Put(one, True), Remove(one), Put(two, True), Remove(entry("no")))
    assert await store.catalogue.entries(Kind.BENTO) == (two,)
    await store.catalogue.write(Put(one), Remove(one))
    await store.catalogue.write()
    assert await store.catalogue.entries(Kind.BENTO) == ()
    await store.close()


@async_test
async def test_entries_come_newest_first_in_pages(opener: Opener) -> None:
    store = opener()
    made = [entry(f"e{n}", created_at=float(n // 2), uid=f"{'aB'[n % 2]}{n}") for n in range(6)]
    await store.catalogue.write(*(Put(each) for each in made))
    # Of one time by uid, backwards: "a" is after "B", as characters are numbered.
    assert await names(store) == ["e4", "e5", "e2", "e3", "e0", "e1"]
    assert await names(store, start=1, count=2) == ["e5", "e2"]
    assert await names(store, start=5) == ["e1"]
    assert await names(store, start=6) == []
    assert await names(store, count=0) == []
    await store.close()


@async_test
async def test_entries_are_those_of_a_scope_and_an_organization_or_of_any(opener: Opener) -> None:
    store = opener()
    made = [
        entry(f"{scope}{organization}", scope=scope, organization=organization, uid=f"{n}")
        for n, (scope, organization) in enumerate([("", "o"), ("s", "o"), ("", "p"), ("s", "p")])
    ]
    await store.catalogue.write(*(Put(each) for each in made))
    assert await names(store) == []
    assert await names(store, organization="o") == ["so", "o"]
    assert await names(store, organization="o", scope="") == ["o"]
    assert await names(store, organization="o", scope="s") == ["so"]
    assert await names(store, organization=None, scope="s") == ["sp", "so"]
    assert await names(store, organization=None) == ["sp", "p", "so", "o"]
    assert await store.catalogue.count_entries(Kind.BENTO, organization=None, scope="s") == 2
    assert await store.catalogue.count_entries(Kind.BENTO, organization="o") == 2
    await store.close()


@async_test
async def test_a_search_is_for_the_letters_in_it(opener: Opener) -> None:
    store = opener()
    texts = ("a%b", "a_b", "aXb", "AXB", "a\\b", "'; DROP TABLE entries; --", "é")
    await store.catalogue.write(*(Put(entry(each)) for each in texts))
    for search in (*texts, "%", "_", "\\", "a", "X", "';", "\0", "\ud800", "x" * 999):
        expected = sorted(each for each in texts if search in each)
        assert sorted(await names(store, search=search)) == expected
        counted = await store.catalogue.count_entries(Kind.BENTO, search=search)
        assert counted == len(expected)
    await store.close()


@async_test
async def test_what_no_database_takes_as_a_key_is_refused_and_never_found(opener: Opener) -> None:
    store = opener()
    for bad in ("a\0b", "\ud800", "x" * 513, "é" * 257):
        for what in ("name", "uid", "scope", "organization"):
            with pytest.raises(InvalidArgument, match=f"^the {what} of bento "):
                await store.catalogue.write(Put(replace(entry(), **{what: bad})))
        assert await store.catalogue.entry(Kind.BENTO, bad) is None
        assert await store.catalogue.entry(Kind.BENTO, "one", scope=bad) is None
        assert await store.catalogue.entry_of(Kind.BENTO, bad) is None
        assert await store.catalogue.entries(Kind.BENTO, scope=bad, organization=None) == ()
        assert await store.catalogue.count_entries(Kind.BENTO, organization=bad) == 0
        await store.catalogue.write(Remove(replace(entry(), name=bad)))
    longest = "é" * 256
    entries = entry(longest, scope=longest, organization=longest, uid=longest)
    await store.catalogue.write(Put(entries))
    assert await store.catalogue.entries(Kind.BENTO, organization=None) == (entries,)
    await store.close()


@async_test
async def test_a_document_that_is_not_json_is_refused_by_name(opener: Opener) -> None:
    store = opener()
    bad = entry("bad", document={"a": {1}})
    with pytest.raises(InvalidArgument, match=r"^the document of bento 'bad' is not JSON"):
        await store.catalogue.write(Put(entry("good")), Put(bad))
    assert await store.catalogue.entries(Kind.BENTO) == ()
    await store.catalogue.write(Put(entry("t", document={"t": (1, 2.5)})))
    found = await store.catalogue.entry(Kind.BENTO, "t")
    assert found is not None
    assert found.document == {"t": [1, 2.5]}
    await store.close()


@async_test
async def test_a_store_that_was_taken_over_reads_entries_but_writes_none(opener: Opener) -> None:
    old = opener()
    await old.catalogue.write(Put(entry("one")))
    new = opener()
    for change in (Put(entry("two")), Remove(entry("one"))):
        with pytest.raises(FailedPrecondition, match="another controller has taken over"):
            await old.catalogue.write(change)
    assert await names(old) == await names(new) == ["one"]
    await new.catalogue.write(Put(entry("two")))
    assert await store_names(old) == {"one", "two"}
    await old.close()
    for call in (
        old.catalogue.entry(Kind.BENTO, "one"),
        old.catalogue.entry_of(Kind.BENTO, "uid-one"),
        old.catalogue.entries(Kind.BENTO),
        old.catalogue.count_entries(Kind.BENTO),
        old.catalogue.write(),
    ):
        with pytest.raises(FailedPrecondition, match=r"the store .* is closed"):
            await call
    await new.close()


async def store_names(store: Store) -> set[str]:
    return set(await names(store))


def test_no_secret_of_an_entry_is_shown() -> None:
    told: Entry = entry(secret={"key": "s3cret"})
    assert "s3cret" not in f"{told} {told!r} {Put(told)!r} {Remove(told)!r}"
