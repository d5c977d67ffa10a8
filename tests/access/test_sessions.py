"""Sessions of browsers, and codes of commands."""

import asyncio
import hashlib

import pytest

from mesh.access import codes, sessions
from mesh.access.codes import Codes
from mesh.access.sessions import Sessions
from mesh.control.store.catalogue import Kind, Put, Remove
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.errors import AlreadyExists, FailedPrecondition, NotFound, Overloaded, Unavailable
from tests.control.store.stores import async_test


class Kept(MemoryCatalogue):
    """Counts what is written; refuses it while it is away."""

    written = 0
    is_away = False

    async def write(self, *changes: Put | Remove) -> None:
        if self.is_away:
            raise Unavailable("the store is away")
        self.written += 1
        await super().write(*changes)

    async def names(self) -> set[str]:
        return {each.name for each in await self.entries(Kind.SESSION)}


async def reloaded(kept: Kept, now: float) -> Sessions:
    """Those of the next controller."""
    found = Sessions(kept)
    await found.load(now)
    return found


@async_test
async def test_a_session_lasts_its_time() -> None:
    found = Sessions(Kept())
    token = await found.begin("ann", 10.0)
    assert found.user(token, 10.0) == "ann"
    assert found.user(token, 10.0 + sessions.LASTS) == ""
    assert found.user("other", 10.0) == ""
    assert found.user("", 10.0) == ""


@async_test
async def test_whoever_logs_out_is_out() -> None:
    kept = Kept()
    found = Sessions(kept)
    one, two, other = [await found.begin(user, 0.0) for user in ("ann", "ann", "bob")]
    await found.end_all("ann", but=two)
    for each in (found, await reloaded(kept, 1.0)):
        assert [each.user(token, 1.0) for token in (one, two, other)] == ["", "ann", "bob"]
    await found.end(two)
    for each in (found, await reloaded(kept, 1.0)):
        assert each.user(two, 1.0) == ""


@async_test
async def test_a_session_outlives_the_controller_and_not_its_time() -> None:
    kept = Kept()
    token = await Sessions(kept).begin("ann", 10.0)
    found = await reloaded(kept, 20.0)
    assert found.user(token, 9.0 + sessions.LASTS) == "ann"
    assert found.user(token, 10.0 + sessions.LASTS) == ""
    assert (await reloaded(kept, 10.0 + sessions.LASTS)).user(token, 20.0) == ""
    assert await kept.names() == set()


@async_test
async def test_what_has_expired_is_forgotten_when_the_next_begins() -> None:
    kept = Kept()
    found = Sessions(kept)
    for at in (0.0, 1.0, 2.0):
        await found.begin("ann", at)
    assert len(await kept.names()) == 3
    await found.begin("bob", sessions.LASTS + 1.0)
    assert len(await kept.names()) == 2


@async_test
async def test_a_session_takes_the_place_of_another_in_one_write() -> None:
    kept = Kept()
    found = Sessions(kept)
    old = await found.begin("ann", 0.0)
    new = await found.begin("ann", 1.0, old)
    assert (found.user(old, 2.0), found.user(new, 2.0)) == ("", "ann")
    assert (len(await kept.names()), kept.written) == (1, 2)


@async_test
async def test_looking_at_a_session_and_ending_none_writes_nothing() -> None:
    kept = Kept()
    found = Sessions(kept)
    token = await found.begin("ann", 0.0)
    for now in (1.0, 2.0, sessions.LASTS):
        found.user(token, now)
    await found.end("of nobody")
    await found.end_all("bob")
    assert kept.written == 1


@async_test
async def test_the_oldest_session_ends_where_there_are_too_many() -> None:
    kept = Kept()
    found = Sessions(kept, most=2)
    first, *others = [await found.begin("ann", float(at)) for at in range(3)]
    assert found.user(first, 3.0) == ""
    assert {found.user(token, 3.0) for token in others} == {"ann"}
    again = Sessions(kept, most=2)
    await again.load(3.0)
    await again.begin("ann", 3.0)
    assert [again.user(token, 3.0) for token in others] == ["", "ann"]
    assert len(await kept.names()) == 2


@async_test
async def test_a_session_does_not_tell_its_token_and_neither_does_what_is_kept_of_it() -> None:
    kept = Kept()
    found = Sessions(kept)
    token = await found.begin("ann", 0.0)
    assert token not in repr(vars(found))
    (entry,) = await kept.entries(Kind.SESSION)
    assert token not in repr(entry)
    assert entry.name == hashlib.sha256(token.encode()).hexdigest()


@async_test
async def test_a_session_that_cannot_be_forgotten_is_over_and_forgotten_later() -> None:
    kept = Kept()
    found = Sessions(kept)
    token = await found.begin("ann", 0.0)
    kept.is_away = True
    with pytest.raises(Unavailable):
        await found.end(token)
    with pytest.raises(Unavailable):
        await found.begin("bob", 1.0)
    assert found.user(token, 1.0) == ""
    kept.is_away = False
    other = await found.begin("bob", 2.0)
    assert len(await kept.names()) == 1
    assert found.user(other, 3.0) == "bob"


@async_test
async def test_a_session_that_is_being_kept_is_ended_with_all_others_of_its_user() -> None:
    class Slow(Kept):
        async def write(self, *changes: Put | Remove) -> None:
            begun.set()
            await goes_on.wait()
            await super().write(*changes)

    begun, goes_on = asyncio.Event(), asyncio.Event()
    kept = Slow()
    found = Sessions(kept)
    beginning = asyncio.create_task(found.begin("ann", 0.0))
    await begun.wait()
    ending = asyncio.create_task(found.end_all("ann"))
    await asyncio.sleep(0)  # until it waits
    goes_on.set()
    token, _ = await asyncio.gather(beginning, ending)
    assert found.user(token, 1.0) == ""
    assert await kept.names() == set()


def test_a_code_leads_once_to_what_is_bound_to_it() -> None:
    found: Codes[str] = Codes()
    code = found.make(0.0)
    with pytest.raises(FailedPrecondition, match="yet"):
        found.take(code, 1.0)
    assert found.waits(code, 1.0)
    found.bind(code, "token", 2.0)
    assert not found.waits(code, 2.0)
    with pytest.raises(AlreadyExists):
        found.bind(code, "another", 2.0)
    assert found.take(code, 3.0) == "token"
    with pytest.raises(NotFound):
        found.take(code, 3.0)


def test_a_code_is_good_for_a_while() -> None:
    found: Codes[str] = Codes()
    code = found.make(0.0)
    assert not found.waits(code, codes.LASTS)
    with pytest.raises(NotFound):
        found.bind(code, "token", codes.LASTS)
    other = found.make(1.0)
    found.bind(other, "token", 2.0)
    with pytest.raises(NotFound):
        found.take(other, 1.0 + codes.LASTS)


def test_codes_that_wait_are_so_many() -> None:
    found: Codes[str] = Codes(most=2)
    found.make(0.0)
    found.make(1.0)
    with pytest.raises(Overloaded):
        found.make(2.0)
    found.make(codes.LASTS)
