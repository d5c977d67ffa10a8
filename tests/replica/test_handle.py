"""What `depends()` becomes in a replica, called from a method of a service above."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from mesh.clock import monotonic
from mesh.errors import Code, MeshError
from tests.link.rig import run, until
from tests.replica.bench import Bench, bench
from tests.replica.rig import snapshot, version
from tests.replica.services import Above


def above(test: Callable[[Bench], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Runs an async test with a replica of Above and one of Below."""

    def wrapped() -> None:
        async def main() -> None:
            async with bench(Above) as made:
                await test(made)

        run(main())

    wrapped.__name__ = test.__name__
    return wrapped


@above
async def test_every_method_can_be_awaited_and_called_from_a_thread(made: Bench) -> None:
    assert await made.ask("to_async", {"x": 1}) == [2, 2]
    assert await made.ask("to_sync", {"x": 1}) == [6, 2]


@above
async def test_a_direct_call_is_as_the_method_itself_is(made: Bench) -> None:
    assert await made.ask("direct", {"x": 1}) == 2
    assert await made.ask("direct_in_thread", {"x": 1}) == 2


@above
async def test_a_sync_call_on_the_event_loop_is_refused_with_a_hint(made: Bench) -> None:
    with pytest.raises(MeshError) as failed:
        await made.ask("blocks", {"x": 1})
    assert failed.value.code is Code.INTERNAL
    assert "await self.<dependency>.to_async.increase(...)" in failed.value.message


@pytest.mark.parametrize("method", ["scope", "scope_in_thread"])
def test_deadline_metadata_and_request_id_go_on(method: str) -> None:
    async def main() -> None:
        async with bench(Above) as made:
            head = {
                "deadline": monotonic() + 5,
                "metadata": (("x-tenant", "acme"),),
                "request_id": "r-1",
            }
            said = await made.ask(method, **head)
            assert 0 < said.pop("left") <= 5
            assert said == {"tenant": "acme", "id": "r-1"}
            said = await made.ask(method, request_id="r-2")
            assert 5 < said.pop("left") <= 20  # the time limit of the service itself
            assert said == {"tenant": "", "id": "r-2"}

    run(main())


@above
async def test_streams_come_through_handles_of_both_kinds(made: Bench) -> None:
    assert await made.items("streams", {"n": 3}) == [0, 1, 2]
    assert await made.items("streams_in_thread", {"n": 3}) == [0, 1, 2]


@above
async def test_a_stream_that_is_closed_early_is_given_up_below(made: Bench) -> None:
    assert await made.ask("first", {"n": 10**9}) == 0
    await made.settled()
    assert made.running["Below"].instance.events == ["closed"]
    call = await made.start("streams_in_thread", {"n": 10**9})
    call.cancel()
    await made.settled()
    assert made.running["Below"].instance.events == ["closed", "closed"]


@above
async def test_streams_of_items_go_down_and_both_ways(made: Bench) -> None:
    assert await made.ask("sends", {"n": 4}) == [106, 0, 1, 3, 6]


@above
async def test_closing_the_replies_ends_the_sending_as_well(made: Bench) -> None:
    # The task that sends would wait for the next number for ever: `run` fails if it is left.
    assert await made.ask("sends_and_leaves") == 1


@above
async def test_a_stream_of_items_that_breaks_fails_the_call(made: Bench) -> None:
    with pytest.raises(MeshError) as failed:
        await made.ask("sends_broken")
    assert failed.value.code is Code.INTERNAL


@above
async def test_an_error_keeps_code_status_and_text_over_two_hops(made: Bench) -> None:
    with pytest.raises(MeshError) as failed:
        await made.ask("told")
    error = failed.value
    assert (error.code, error.status, error.message) == (Code.FAILED_PRECONDITION, 418, "not yet")


@above
async def test_a_fault_below_is_a_fault_above_without_its_text(made: Bench) -> None:
    for method in ("crash", "wrong_arguments"):
        with pytest.raises(MeshError) as failed:
            await made.ask(method)
        assert failed.value.code is Code.INTERNAL
        text = "An unexpected error has occurred, please check the server log."
        assert failed.value.message == text


def test_a_call_outside_of_calls_waits_until_the_service_is_ready() -> None:
    async def main() -> None:
        async with bench(Above) as made:
            ready = made.dispatcher.snapshot
            made.dispatcher.follow(snapshot(version(Above, {}), number=2))
            # As a service does that is being made.
            waiting = asyncio.ensure_future(made.instance.below.to_async.increase(1))
            with pytest.raises(MeshError):
                await made.ask("direct", {"x": 1})
            assert not waiting.done()
            await made.links.follow(ready)
            assert await waiting == 2

    run(main())


def test_a_call_waits_as_long_as_its_replica_may_hear_later_than_its_callers() -> None:
    async def main() -> None:
        lags = [0.0, 60.0]
        async with bench(Above, lag=lags.pop) as made:
            ready = made.dispatcher.snapshot
            made.dispatcher.follow(snapshot(version(Above, {"Above": ("first",)}), number=2))
            waiting = asyncio.ensure_future(made.ask("direct", {"x": 1}))
            await until(lambda: len(lags) == 1)
            with pytest.raises(MeshError) as failed:
                await made.ask("direct", {"x": 1})
            assert failed.value.code is Code.UNAVAILABLE
            await made.links.follow(ready)
            assert await waiting == 2

    run(main())


def test_a_call_waits_for_the_first_replica_of_a_dependency_that_sleeps() -> None:
    async def main() -> None:
        async with bench(Above) as made:
            ready = made.dispatcher.snapshot
            (found,) = ready.deployments["demo"].versions
            below = replace(found.services["Below"], replicas=(), cold_start=60.0)
            asleep = replace(found, services={**found.services, "Below": below})
            made.dispatcher.follow(snapshot(asleep, number=2))
            asking = [
                asyncio.ensure_future(made.instance.below.to_async.increase(1)),  # outside of calls
                asyncio.ensure_future(made.ask("direct", {"x": 1})),
            ]
            key = ("demo", "main-1", "Below")
            await until(lambda: made.dispatcher.turns.waiting() == {key: 2})
            await made.links.follow(ready)
            assert await asyncio.gather(*asking) == [2, 2]
            assert made.dispatcher.turns.waiting() == {}

    run(main())


@above
async def test_a_cancelled_call_cancels_what_it_called(made: Bench) -> None:
    below = made.running["Below"].instance
    call = made.open("hang")
    await until(lambda: below.hanging == 1)
    call.cancel()
    await made.settled()
    assert below.events == ["ended"]


@above
async def test_a_deadline_is_the_same_below(made: Bench) -> None:
    with pytest.raises(MeshError) as failed:
        await made.ask("hang", deadline=monotonic() + 0.2)
    assert failed.value.code is Code.DEADLINE_EXCEEDED
    await made.settled()
    assert made.running["Below"].instance.events == ["ended"]


@above
async def test_a_dependency_that_has_died_is_unavailable(made: Bench) -> None:
    below = made.running["Below"]
    call = made.open("hang")
    await until(lambda: below.instance.hanging == 1)
    await below.die()
    with pytest.raises(MeshError) as failed:
        await call.reply()
    assert failed.value.code is Code.UNAVAILABLE
