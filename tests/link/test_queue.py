"""Calls kept back while every replica has as many as it may: in order, bounded, and let go."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from mesh.call import CallHead
from mesh.clock import monotonic
from mesh.errors import Cancelled, DeadlineExceeded, MeshError, Overloaded, Unavailable
from mesh.link.call import CallerCall, ReplicaCall
from mesh.link.dispatch import Dispatcher
from mesh.link.limits import LINK_WAIT
from mesh.link.pool import Pool
from mesh.link.transport import Transport, memory_pair
from mesh.link.waiting import Turn
from mesh.replica.admission import Admission
from mesh.traffic.snapshot import Replica, Service, Snapshot
from tests.link.replicas import Host, Rig, service
from tests.link.rig import run, until

KEY = ("", "", "s")


def queued(rig: Rig) -> int:
    return rig.dispatcher.turns._lines.counts().get(KEY, 0)


def kept(*names: str, places: int = 1, limit: int = 100, **more: Any) -> Service:
    return service(*names, max_concurrency=places, queue_limit=limit, **more)


async def held(rig: Rig, found: Service, calls: int = 1) -> "list[asyncio.Task[bytes | None]]":
    """Calls that replicas have begun, and answer when `go_on` of their methods is set."""
    tasks = [asyncio.ensure_future(rig.ask(found, "wait")) for _ in range(calls)]
    await until(lambda: rig.started() == calls)
    return tasks


def let_go(rig: Rig) -> None:
    for host in rig.hosts.values():
        host.methods.go_on.set()


# Order


def test_calls_that_wait_go_in_the_order_in_which_they_came() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.link("a")
        found = kept("a")
        first = await held(rig, found)
        answered: list[int] = []

        async def ask(number: int) -> None:
            await rig.ask(found)
            answered.append(number)

        waiting = []
        for number in range(20):
            waiting.append(asyncio.ensure_future(ask(number)))
            await until(lambda number=number: queued(rig) == number + 1)
        assert rig.started() == 1
        let_go(rig)
        await asyncio.gather(*first, *waiting)
        assert answered == list(range(20))
        assert queued(rig) == 0
        await rig.close()

    run(main())


def test_a_call_that_comes_later_does_not_overtake() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.link("a")
        found = kept("a")
        first = await held(rig, found)
        order: list[str] = []

        async def ask(name: str) -> None:
            await rig.ask(found, on_open=lambda what: note(name, what))

        def note(name: str, what: CallerCall | Turn) -> None:
            if isinstance(what, CallerCall):
                order.append(name)

        early = asyncio.ensure_future(ask("early"))
        await until(lambda: queued(rig) == 1)
        let_go(rig)
        await first[0]
        # The place is free, and the one that waits has not taken it yet.
        late = asyncio.ensure_future(ask("late"))
        await asyncio.gather(early, late)
        assert order == ["early", "late"]
        await rig.close()

    run(main())


def test_a_call_that_is_refused_goes_back_to_the_head_of_the_queue() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.link("a")
        found = kept("a")
        rig.hosts["a"].methods.refuses = True  # another caller has the place
        opened: list[CallerCall | Turn] = []
        order: list[int] = []

        async def ask(number: int) -> None:
            await rig.ask(found, on_open=opened.append)
            order.append(number)

        asking = [asyncio.ensure_future(ask(number)) for number in range(3)]
        await until(lambda: queued(rig) == 3)
        tries = sum(isinstance(what, CallerCall) for what in opened)
        await until(lambda: sum(isinstance(what, CallerCall) for what in opened) > tries + 4)
        assert queued(rig) >= 2
        rig.hosts["a"].methods.refuses = False
        await asyncio.gather(*asking)
        assert order == [0, 1, 2]
        await rig.close()

    run(main())


# Places


def test_a_call_takes_the_place_that_another_call_leaves() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.link("a", "b")
        found = kept("a", "b", places=2)
        first = await held(rig, found, 4)
        waiting = [asyncio.ensure_future(rig.ask(found)) for _ in range(10)]
        await until(lambda: queued(rig) == 10)
        first[0].cancel()
        await asyncio.gather(*waiting)
        let_go(rig)
        await asyncio.wait(first)
        await rig.close()

    run(main())


def test_a_replica_that_joins_takes_calls_that_wait() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.link("a")
        services = [kept("a")]
        first = await held(rig, services[0])
        waiting = [asyncio.ensure_future(rig.ask(lambda: services[0])) for _ in range(5)]
        await until(lambda: queued(rig) == 5)
        services[0] = kept("a", "b")
        rig.replicas.follow("a", "b")
        await asyncio.gather(*waiting)
        assert len(rig.hosts["b"].methods.started) == 5
        let_go(rig)
        await asyncio.gather(*first)
        await rig.close()

    run(main())


def test_a_refused_call_tries_a_replica_that_has_a_place_first() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.link("a", "b")
        rig.hosts["a"].methods.refuses = True
        for _ in range(20):
            assert await rig.ask(kept("a", "b")) == b"ping"
        await rig.close()

    run(main())


class Full:
    """A replica with the admission of real ones, which notes how many calls it has at once."""

    def __init__(self, places: int) -> None:
        self.host = Host()
        self.most = 0
        self.refused = 0
        self._admission = Admission(places)
        self._take = self.host.end._on_call
        self.host.end._on_call = self.take

    def take(self, call: ReplicaCall) -> None:
        place = self._admission.admit(call.tell_room)
        if place is None:
            self.refused += 1
            call.fail(Overloaded("full"), refused=True)
            return
        self.most = max(self.most, self._admission.taken)
        before = self.host.methods.tasks.copy()
        self._take(call)
        (task,) = self.host.methods.tasks - before
        task.add_done_callback(lambda _: place.release())


class Callers:
    """Several callers of the same replicas."""

    def __init__(self, replicas: dict[str, Full], count: int) -> None:
        self._replicas = replicas
        self.pools = [Pool(self._connect, monotonic, Random(n)) for n in range(count)]
        self.dispatchers = [
            Dispatcher(pool, monotonic, Random(n)) for n, pool in enumerate(self.pools)
        ]

    async def _connect(self, address: str) -> Transport:
        near, far = memory_pair()
        self._replicas[address].host.serve(far)
        return near

    async def open(self) -> None:
        for pool in self.pools:
            pool.follow(Replica(name, name) for name in self._replicas)
        await until(lambda: all(pool.link(name) for pool in self.pools for name in self._replicas))

    async def close(self) -> None:
        for pool in self.pools:
            await pool.close()
        for replica in self._replicas.values():
            await until(lambda replica=replica: not replica.host.links)


@pytest.mark.parametrize("places", [1, 3])
def test_replicas_never_hold_more_than_they_may_whoever_calls(places: int) -> None:
    async def main() -> None:
        replicas = {name: Full(places) for name in ("a", "b")}
        callers = Callers(replicas, 4)
        await callers.open()
        found = kept("a", "b", places=places, timeout=20)

        async def ask(dispatcher: Dispatcher) -> bytes | None:
            call = await dispatcher.ask(lambda: found, CallHead("echo"), b"x")
            return await call.message()

        asked = [ask(dispatcher) for dispatcher in callers.dispatchers for _ in range(50)]
        assert set(await asyncio.gather(*asked)) == {b"x"}
        for replica in replicas.values():
            assert replica.most == places
        assert sum(replica.refused for replica in replicas.values())  # or this shows nothing
        assert all(not each.turns._lines.counts() for each in callers.dispatchers)
        await callers.close()

    run(main())


def test_a_caller_with_many_calls_does_not_keep_the_others_from_their_turn() -> None:
    async def main() -> None:
        replicas = {"a": Full(1)}
        callers = Callers(replicas, 2)
        await callers.open()
        found = kept("a", places=1, limit=1000)
        ended: list[str] = []

        async def ask(dispatcher: Dispatcher, name: str) -> None:
            call = await dispatcher.ask(lambda: found, CallHead("echo"), b"x")
            await call.message()
            ended.append(name)

        busy, quiet = callers.dispatchers
        many = [asyncio.ensure_future(ask(busy, "busy")) for _ in range(500)]
        await until(lambda: len(ended) == 10)
        few = [asyncio.ensure_future(ask(quiet, "quiet")) for _ in range(5)]
        await asyncio.gather(*few)
        assert len(ended) < 100
        await asyncio.gather(*many)
        assert replicas["a"].most == 1
        await callers.close()

    run(main())


# Limits


def test_at_most_so_many_calls_wait() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.link("a")
        found = kept("a", limit=3)
        first = await held(rig, found)
        waiting = [asyncio.ensure_future(rig.ask(found)) for _ in range(3)]
        await until(lambda: queued(rig) == 3)
        with pytest.raises(Overloaded) as caught:
            await rig.ask(found)
        assert caught.value.retry_after
        let_go(rig)
        await asyncio.gather(*first, *waiting)
        assert await rig.ask(found) == b"ping"
        await rig.close()

    run(main())


def cancelled(task: "asyncio.Task[Any]", _: Rig, __: Turn) -> None:
    task.cancel()


def told(_: "asyncio.Task[Any]", __: Rig, turn: Turn) -> None:
    turn.cancel()


def late(_: "asyncio.Task[Any]", rig: Rig, __: Turn) -> None:
    rig.replicas.now += 100
    rig.dispatcher.wake()
    rig.dispatcher.turns.wake()


@pytest.mark.parametrize(
    ("end", "error", "deadline"),
    [
        (cancelled, asyncio.CancelledError, None),
        (told, Cancelled, None),
        (late, DeadlineExceeded, None),
        (late, DeadlineExceeded, 1050.0),
    ],
)
def test_a_call_that_ends_while_it_waits_leaves_no_trace(
    end: Callable[..., None], error: type[BaseException], deadline: float | None
) -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.link("a")
        found = kept("a", timeout=60)
        first = await held(rig, kept("a"))
        turns: list[Any] = []
        asking = asyncio.ensure_future(rig.ask(found, on_open=turns.append, deadline=deadline))
        await until(lambda: queued(rig) == 1)
        end(asking, rig, turns[0])
        with pytest.raises(error):
            await asking
        assert queued(rig) == 0
        assert rig.started() == 1
        let_go(rig)
        await asyncio.gather(*first)
        assert await rig.ask(found) == b"ping"  # the place is free again
        await rig.close()

    run(main())


def test_the_head_that_is_given_up_hands_its_wake_up_to_the_next() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.link("a")
        found = kept("a")
        first = await held(rig, found)
        waiting = [asyncio.ensure_future(rig.ask(found)) for _ in range(2)]
        await until(lambda: queued(rig) == 2)
        let_go(rig)
        await first[0]  # which has woken the head
        waiting[0].cancel()
        assert await waiting[1] == b"ping"
        await asyncio.wait(waiting)
        await rig.close()

    run(main())


def test_the_time_limit_counts_the_time_in_the_queue() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.link("a")
        first = await held(rig, kept("a"))
        found = kept("a", timeout=60)
        asking = asyncio.ensure_future(rig.ask(found, "hang"))
        await until(lambda: queued(rig) == 1)
        rig.replicas.now += 59.99
        let_go(rig)
        await asyncio.gather(*first)
        with pytest.raises(DeadlineExceeded, match="in 60 seconds"):
            await asking
        assert rig.hosts["a"].methods.started == ["wait", "hang"]
        await rig.close()

    run(main())


def test_the_time_limit_in_the_queue_starts_when_a_replica_is_up() -> None:
    async def main() -> None:
        rig = Rig("a")
        services = [kept(cold_start=1000.0, timeout=60)]
        asking = [asyncio.ensure_future(rig.ask(lambda: services[0], "wait")) for _ in range(3)]
        await until(lambda: queued(rig) == 3)
        rig.replicas.now += 900
        services[0] = kept("a", timeout=60)
        rig.dispatcher.follow(Snapshot(1, 1))  # which wakes all
        rig.replicas.follow("a")
        await until(rig.started)
        rig.replicas.now += 50
        let_go(rig)
        assert await asyncio.gather(*asking) == [b"ping"] * 3
        await rig.close()

    run(main())


def test_a_call_waits_for_a_link_in_its_turn_but_not_for_ever() -> None:
    async def main() -> None:
        rig = Rig()
        rig.replicas.follow("missing")
        asking = asyncio.ensure_future(rig.ask(kept("missing")))
        await until(lambda: queued(rig) == 1)
        rig.replicas.now += LINK_WAIT + 1
        rig.replicas.follow("missing", "more")  # wakes those that wait
        with pytest.raises(Unavailable, match="no replica can be reached"):
            await asking
        assert queued(rig) == 0
        await rig.close()

    run(main())


def test_a_replica_that_dies_fails_what_it_held_and_not_what_waits() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.link("a", "b")
        found = kept("a", "b")
        first = await held(rig, found, 2)
        waiting = [asyncio.ensure_future(rig.ask(found)) for _ in range(3)]
        await until(lambda: queued(rig) == 3)
        rig.hosts["a"].die()
        rig.hosts["b"].methods.go_on.set()
        results = await asyncio.gather(*first, return_exceptions=True)
        assert sum(isinstance(result, MeshError) for result in results) == 1
        assert await asyncio.gather(*waiting) == [b"ping"] * 3
        await rig.close()

    run(main())


def test_a_stream_waits_for_a_place_too() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.link("a")
        found = kept("a")
        first = await held(rig, found)
        opening = asyncio.ensure_future(rig.dispatcher.open(lambda: found, CallHead("join")))
        await until(lambda: queued(rig) == 1)
        let_go(rig)
        await asyncio.gather(*first)
        call, _ = await opening
        await call.send(b"ab", end=True)
        assert await call.message() == b"ab"
        await rig.close()

    run(main())
