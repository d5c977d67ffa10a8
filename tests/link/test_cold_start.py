"""Calls to a service that has no replica yet, and gets one because it is called."""

import asyncio
import gc

import pytest

from mesh.call import CallHead
from mesh.errors import Cancelled, DeadlineExceeded, MeshError, NotFound, Overloaded, Unavailable
from mesh.link.call import CallerCall
from mesh.link.turns import WISH
from mesh.link.waiting import MOST_WAITING, Turn
from mesh.traffic.snapshot import (
    Deployment,
    Endpoint,
    Service,
    Snapshot,
    SplitBy,
    Version,
    WeightedDeployment,
)
from tests.link.replicas import Rig, service
from tests.link.rig import run, until

COLD = 60.0
NOT_THERE = service(cold_start=COLD, timeout=10)


def version(name: str, found: Service, weight: int = 50) -> Version:
    return Version(f"{name}-1", name, "s", {"s": found}, weight)


def table(*versions: Version, number: int = 1, split_by: SplitBy = SplitBy.RANDOM) -> Snapshot:
    key = "" if split_by is SplitBy.RANDOM else "user"
    return Snapshot(
        1,
        number,
        {"e": Endpoint("e", (WeightedDeployment("d", 1),))},
        {"d": Deployment("d", versions, split_by, key)},
        "e",
    )


def chosen(rig: Rig, named: str = "", key: str | None = None) -> str:
    endpoint = rig.dispatcher.snapshot.endpoints["e"]
    return rig.dispatcher.choices.choose(endpoint, named=named, key=lambda _: key)[1].name


def found(rig: Rig) -> Service:
    return rig.dispatcher.version("d", "main-1").services["s"]


async def waits(rig: Rig, calls: int = 1) -> None:
    await until(lambda: rig.dispatcher.turns.waiting() == {("d", "main-1", "s"): calls})


# Which version


def test_a_version_that_sleeps_is_chosen_when_none_has_a_replica() -> None:
    async def main() -> None:
        rig = Rig("a")
        rig.dispatcher.follow(table(version("main", NOT_THERE), version("canary", service())))
        assert {chosen(rig) for _ in range(20)} == {"main"}
        rig.dispatcher.follow(table(version("main", NOT_THERE), version("canary", service("a"))))
        assert {chosen(rig) for _ in range(20)} == {"canary"}
        await rig.close()

    run(main())


def test_a_version_that_sleeps_is_chosen_by_its_name() -> None:
    async def main() -> None:
        rig = Rig("a")
        rig.dispatcher.follow(table(version("main", service("a")), version("canary", NOT_THERE)))
        await rig.replicas.linked("a")
        assert chosen(rig, "canary") == "canary"
        assert chosen(rig, "canary-1") == "canary"
        with pytest.raises(NotFound):
            chosen(rig, "other")
        await rig.close()

    run(main())


def test_who_belongs_to_a_version_that_sleeps_stays_with_it() -> None:
    async def main() -> None:
        rig = Rig("a")
        keys = [str(number) for number in range(50)]
        up = version("canary", service("a"))
        by_header = SplitBy.HEADER
        rig.dispatcher.follow(table(version("main", service("a")), up, split_by=by_header))
        await rig.replicas.linked("a")
        before = [chosen(rig, key=key) for key in keys]
        assert set(before) == {"main", "canary"}
        rig.dispatcher.follow(table(version("main", NOT_THERE), up, split_by=by_header))
        assert [chosen(rig, key=key) for key in keys] == before
        assert {chosen(rig) for _ in range(20)} == {"canary"}  # who has no key
        rig.dispatcher.follow(table(version("main", service()), up, split_by=by_header))
        assert {chosen(rig, key=key) for key in keys} == {"canary"}
        await rig.close()

    run(main())


# The wait


def test_a_call_waits_for_the_first_replica_and_is_answered_by_it() -> None:
    async def main() -> None:
        rig = Rig("a")
        rig.dispatcher.follow(table(version("main", NOT_THERE)))
        asking = asyncio.ensure_future(rig.ask(lambda: found(rig)))
        await waits(rig)
        rig.dispatcher.follow(table(version("main", service("a", cold_start=COLD)), number=2))
        assert await asking == b"ping"
        assert rig.dispatcher.turns.waiting() == {}
        await rig.close()

    run(main())


def test_the_time_limit_of_the_call_starts_when_a_replica_is_up() -> None:
    async def main() -> None:
        rig = Rig("a")
        rig.dispatcher.follow(table(version("main", NOT_THERE)))
        asking = asyncio.ensure_future(rig.ask(lambda: found(rig)))
        await waits(rig)
        rig.replicas.now += COLD - 1  # far more than the 10 seconds that the call has
        up = service("a", cold_start=COLD, timeout=10)
        rig.dispatcher.follow(table(version("main", up), number=2))
        assert await asking == b"ping"
        with pytest.raises(DeadlineExceeded, match=r"in 0\.01 seconds"):
            await rig.ask(service("a", timeout=0.01), "hang")
        await rig.close()

    run(main())


def test_a_call_that_no_replica_comes_for_says_of_which_service() -> None:
    async def main() -> None:
        rig = Rig()
        rig.dispatcher.follow(table(version("main", NOT_THERE)))
        asking = asyncio.ensure_future(rig.ask(lambda: found(rig)))
        await waits(rig)
        rig.replicas.now += COLD
        rig.dispatcher.follow(table(version("main", service(cold_start=COLD)), number=2))
        with pytest.raises(Unavailable, match="no replica of s came up within 60 s") as caught:
            await asking
        assert caught.value.retry_after
        with pytest.raises(Unavailable, match=r"came up within 0\.01 s"):  # by the loop's clock
            await rig.ask(service(cold_start=0.01))
        await rig.close()

    run(main())


def test_a_call_to_a_service_that_is_to_get_no_replica_any_more_fails_at_once() -> None:
    async def main() -> None:
        rig = Rig()
        rig.dispatcher.follow(table(version("main", NOT_THERE)))
        asking = asyncio.ensure_future(rig.ask(lambda: found(rig)))
        await waits(rig)
        rig.dispatcher.follow(table(version("main", service()), number=2))
        with pytest.raises(Unavailable, match="no replica can take the call"):
            await asking
        await rig.close()

    run(main())


def test_a_call_keeps_its_deadline_while_it_waits() -> None:
    async def main() -> None:
        rig = Rig()
        rig.dispatcher.follow(table(version("main", NOT_THERE)))
        with pytest.raises(DeadlineExceeded):
            await rig.ask(lambda: found(rig), deadline=rig.replicas.now + 0.001)
        assert rig.dispatcher.turns.waiting() == {}
        await rig.close()

    run(main())


@pytest.mark.parametrize("how", ["cancelled", "told"])
def test_a_call_that_is_given_up_while_it_waits_leaves_nothing(how: str) -> None:
    async def main() -> None:
        rig = Rig("a")
        told: list[CallerCall | Turn] = []
        rig.dispatcher.follow(table(version("main", NOT_THERE)))
        asking = asyncio.ensure_future(rig.ask(lambda: found(rig), on_open=told.append))
        await waits(rig)
        if how == "cancelled":
            asking.cancel()
            await asyncio.wait([asking])
        else:
            told[0].cancel()
            with pytest.raises(Cancelled):
                await asking
        assert rig.dispatcher.turns.waiting() == {}
        rig.dispatcher.follow(table(version("main", service("a")), number=2))
        await rig.replicas.linked("a")
        assert not rig.started()
        await rig.close()

    run(main())


def test_streams_wait_as_well() -> None:
    async def main() -> None:
        rig = Rig("a")
        rig.dispatcher.follow(table(version("main", NOT_THERE)))
        told: list[CallerCall | Turn] = []
        opening = asyncio.ensure_future(
            rig.dispatcher.open(lambda: found(rig), CallHead("join"), on_wait=told.append)
        )
        await waits(rig)
        assert len(told) == 1
        up = service("a")
        rig.dispatcher.follow(table(version("main", up), number=2))
        call, at = await opening
        assert at is up
        await call.send(b"ab", end=True)
        assert await call.message() == b"ab"
        await rig.close()

    run(main())


def test_calls_that_a_replica_refused_for_it_goes_away_wait_for_the_next_first_one() -> None:
    async def main() -> None:
        rig = Rig("old", "new")
        up = version("main", service("old", cold_start=COLD))
        rig.dispatcher.follow(table(up))
        await rig.replicas.linked("old")
        rig.hosts["old"].end._is_going_away = True
        opened: list[CallerCall | Turn] = []
        asking = asyncio.ensure_future(rig.ask(lambda: found(rig), on_open=opened.append))
        await until(lambda: opened)
        rig.dispatcher.follow(table(version("main", NOT_THERE), number=2))
        await waits(rig)
        rig.dispatcher.follow(table(version("main", service("new")), number=3))
        assert await asking == b"ping"
        await rig.close()

    run(main())


# Bounds and counts


def test_only_so_many_calls_wait() -> None:
    async def main() -> None:
        rig = Rig("a")
        rig.dispatcher.follow(table(version("main", NOT_THERE)))
        asking = [asyncio.ensure_future(rig.ask(lambda: found(rig))) for _ in range(MOST_WAITING)]
        await waits(rig, MOST_WAITING)
        with pytest.raises(Overloaded):
            await rig.ask(lambda: found(rig))
        rig.dispatcher.follow(table(version("main", service("a")), number=2))
        assert set(await asyncio.gather(*asking)) == {b"ping"}
        assert rig.dispatcher.turns.waiting() == {}
        await rig.close()

    run(main())


def test_the_queue_limit_bounds_those_that_wait_for_a_first_replica_too() -> None:
    async def main() -> None:
        rig = Rig("a")
        kept = service(cold_start=COLD, queue_limit=2, max_concurrency=1)
        rig.dispatcher.follow(table(version("main", kept)))
        asking = [asyncio.ensure_future(rig.ask(lambda: found(rig))) for _ in range(2)]
        await waits(rig, 2)
        with pytest.raises(Overloaded):
            await rig.ask(lambda: found(rig))
        up = service("a", queue_limit=2, max_concurrency=1)
        rig.dispatcher.follow(table(version("main", up), number=2))
        assert await asyncio.gather(*asking) == [b"ping", b"ping"]
        await rig.close()

    run(main())


def test_the_hook_is_told_when_a_first_call_waits() -> None:
    async def main() -> None:
        rig = Rig("a")
        told: list[int] = []
        rig.dispatcher.turns.when_waiting(lambda: told.append(len(rig.dispatcher.turns.waiting())))
        rig.dispatcher.follow(table(version("main", NOT_THERE)))
        asking = [asyncio.ensure_future(rig.ask(lambda: found(rig))) for _ in range(3)]
        await waits(rig, 3)
        assert told == [1]
        rig.dispatcher.follow(table(version("main", service("a")), number=2))
        await asyncio.gather(*asking)
        await rig.close()

    run(main())


def test_a_wish_counts_as_a_call_that_waits_for_a_while() -> None:
    async def main() -> None:
        rig = Rig("a")
        told: list[int] = []
        rig.dispatcher.turns.when_waiting(lambda: told.append(1))
        rig.dispatcher.follow(table(version("main", NOT_THERE)))
        for _ in range(3):
            rig.dispatcher.turns.wish(found(rig))
        assert rig.dispatcher.turns.waiting() == {("d", "main-1", "s"): 1}
        assert told == [1]
        rig.replicas.now += WISH
        assert rig.dispatcher.turns.waiting() == {}
        await rig.close()

    run(main())


def test_calls_that_waited_in_vain_leave_no_reference_cycles() -> None:
    async def fail(rig: Rig) -> None:
        try:
            await rig.ask(service(cold_start=0.001))
        except MeshError:
            return
        raise AssertionError("it was answered")

    async def main() -> None:
        rig = Rig()
        await fail(rig)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                await fail(rig)
            alive = sum(type(each) is Turn for each in gc.get_objects())
        finally:
            gc.enable()
        assert alive <= 1  # the last one, until its task is over
        await rig.close()

    run(main())
