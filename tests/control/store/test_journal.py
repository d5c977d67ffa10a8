"""What every journal keeps to, asked of that of each store."""

from typing import Any

import pytest

from mesh.control.store.catalogue import Deeds, Used
from mesh.control.store.contract import Store
from mesh.errors import FailedPrecondition, InvalidArgument
from tests.control.store.records import deed, used
from tests.control.store.stores import RETENTION, Opener, async_test


async def numbers(store: Store, *, start: int = 0, count: int = 100, **which: Any) -> list[int]:
    found = await store.journal.deeds(Deeds(**which), start, count)
    if start == 0 and count == 100:
        assert await store.journal.count_deeds(Deeds(**which)) == len(found)
    return [int(each.uid.removeprefix("deed-")) for each in found]


@async_test
async def test_deeds_are_there_when_the_store_is_opened_again(opener: Opener) -> None:
    store = opener()
    full = deed(1, status="failed", reason="why", resource={"labels": ["é", None, 1.5]})
    await store.journal.note(full)
    await store.close()
    store = opener()
    assert await store.journal.deeds(Deeds()) == (full,)
    await store.close()


@async_test
async def test_deeds_come_in_the_order_in_which_they_were_noted(opener: Opener) -> None:
    store = opener()
    # A clock that goes back changes nothing.
    await store.journal.note(deed(1, at=9.0), deed(2, at=5.0))
    await store.journal.note(deed(3, at=7.0))
    await store.journal.note()
    assert await numbers(store) == [3, 2, 1]
    assert await numbers(store, oldest_first=True) == [1, 2, 3]
    assert await numbers(store, start=1, count=1) == [2]
    assert await numbers(store, oldest_first=True, start=2) == [3]
    assert await numbers(store, start=3) == []
    await store.close()


@async_test
async def test_a_deed_noted_again_is_there_once(opener: Opener) -> None:
    store = opener()
    await store.journal.note(deed(1), deed(2))
    await store.journal.note(deed(1, name="other"), deed(3))
    assert await numbers(store) == [3, 2, 1]
    assert {each.name for each in await store.journal.deeds(Deeds())} == {"d"}
    await store.close()


@pytest.mark.parametrize(
    ("what", "column"),
    [
        ("users", "user"),
        ("resource_types", "resource_type"),
        ("operations", "operation"),
        ("statuses", "status"),
    ],
)
@async_test
async def test_deeds_are_asked_for_by(opener: Opener, what: str, column: str) -> None:
    store = opener()
    await store.journal.note(
        deed(1), deed(2, **{column: "mine'; --"}), deed(3, **{column: "other"}), deed(4)
    )
    assert await numbers(store, **{what: ("mine'; --",)}) == [2]
    assert await numbers(store, **{what: ("mine'; --", "\0", "other")}) == [3, 2]
    assert await numbers(store, **{what: ()}) == [4, 3, 2, 1]
    for none in ("no", "%", "a\0b", "\ud800", ""):
        assert await numbers(store, **{what: (none,)}) == []
    await store.close()


@async_test
async def test_deeds_are_asked_for_by_organization_and_by_words_in_their_names(
    opener: Opener,
) -> None:
    store = opener()
    await store.journal.note(
        deed(1, organization="acme", name="a%b"), deed(2, name="a_b"), deed(3, name="ab")
    )
    assert await numbers(store, organization="acme") == [1]
    assert await numbers(store, organization="a\0") == []
    assert await numbers(store, words=("b",)) == [3, 2, 1]
    assert await numbers(store, words=("b", "_")) == [2]
    assert await numbers(store, words=("%",)) == [1]
    assert await numbers(store, words=("B",)) == []
    assert await numbers(store, words=("\0",)) == []
    await store.close()


@async_test
async def test_deeds_are_asked_for_by_time(opener: Opener) -> None:
    store = opener()
    await store.journal.note(*(deed(n) for n in range(1, 5)))
    assert await numbers(store, since=2.0) == [4, 3, 2]
    assert await numbers(store, since=2.0, until=4.0) == [3, 2]
    assert await numbers(store, until=1.0) == []
    await store.close()


@async_test
async def test_the_latest_deeds_are_kept(opener: Opener) -> None:
    store = opener()
    for n in range(RETENTION.deeds + 3):
        await store.journal.note(deed(n))
    assert await numbers(store) == list(range(RETENTION.deeds + 2, 2, -1))
    await store.journal.note(*(deed(n) for n in range(100, 100 + RETENTION.deeds)))
    assert await numbers(store) == list(range(99 + RETENTION.deeds, 99, -1))
    await store.close()


@async_test
async def test_texts_of_deeds_that_no_database_takes_are_kept_without_what_hinders(
    opener: Opener,
) -> None:
    store = opener()
    await store.journal.note(deed(1, name="a\0b", reason="\ud800", resource={"a": "\0"}))
    (found,) = await store.journal.deeds(Deeds())
    assert (found.name, found.reason, found.resource) == ("a\ufffdb", "?", {"a": "\0"})
    with pytest.raises(InvalidArgument, match=r"^the resource of the deed 'deed-2' is not JSON"):
        await store.journal.note(deed(2, resource={"a": {1}}))
    await store.close()


@async_test
async def test_what_was_used_in_an_hour_adds_up(opener: Opener) -> None:
    store = opener()
    await store.journal.add_used(used(), used(), used(instance_type="gpu"), used(7200.0))
    await store.close()
    store = opener()
    await store.journal.add_used(used(organization="acme"), used(deployment="a"), used())
    await store.journal.add_used()
    assert await store.journal.used(0.0, 9e9) == (
        used(organization="acme"),
        used(deployment="a"),
        used(replica_seconds=7.5, requests=9, errors=3),
        used(instance_type="gpu"),
        used(7200.0),
    )
    await store.close()


@async_test
async def test_what_was_used_is_asked_for_by_hour_organization_and_deployment(
    opener: Opener,
) -> None:
    store = opener()
    all_of_it = (
        used(0.0, deployment="B"),
        used(0.0, deployment="a"),
        used(3600.0, organization="acme"),
        used(7200.0),
    )
    await store.journal.add_used(*all_of_it[::-1])

    async def asked(*args: float, **which: str) -> tuple[Used, ...]:
        return await store.journal.used(*args, **which)

    assert await asked(0.0, 9e9) == all_of_it
    assert await asked(3600.0, 7200.0) == all_of_it[2:3]
    assert await asked(0.0, 9e9, organization="acme") == all_of_it[2:3]
    assert await asked(0.0, 9e9, organization="default", deployment="a") == all_of_it[1:2]
    assert await asked(0.0, 9e9, deployment="a\0") == ()
    await store.close()


@async_test
async def test_hours_long_past_are_forgotten(opener: Opener) -> None:
    store = opener()
    for hour in range(6):
        await store.journal.add_used(used(hour * 3600.0))
    kept = [each.hour / 3600.0 for each in await store.journal.used(0.0, 9e9)]
    assert kept == [2, 3, 4, 5]
    await store.close()


@async_test
async def test_a_store_that_was_taken_over_notes_nothing(opener: Opener) -> None:
    old = opener()
    await old.journal.note(deed(1))
    await old.journal.add_used(used())
    new = opener()
    for write in (old.journal.note(deed(2)), old.journal.add_used(used())):
        with pytest.raises(FailedPrecondition, match="another controller has taken over"):
            await write
    assert await numbers(old) == await numbers(new) == [1]
    assert await old.journal.used(0.0, 9e9) == await new.journal.used(0.0, 9e9) == (used(),)
    await old.close()
    for call in (
        old.journal.note(),
        old.journal.deeds(Deeds()),
        old.journal.count_deeds(Deeds()),
        old.journal.add_used(),
        old.journal.used(0.0, 1.0),
    ):
        with pytest.raises(FailedPrecondition, match=r"the store .* is closed"):
            await call
    await new.close()
