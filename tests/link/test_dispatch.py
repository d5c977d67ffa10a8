"""From a call to a replica, and to another one where that is safe."""

import asyncio

import pytest

from mesh.call import CallHead
from mesh.errors import Code, DeadlineExceeded, MeshError, Overloaded, Unavailable
from mesh.link.call import CallerCall
from mesh.link.limits import LINK_WAIT
from mesh.traffic.retry import ATTEMPTS
from tests.link.replicas import Rig, service
from tests.link.rig import run, until


def test_a_call_is_answered_by_one_replica() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.link("a", "b")
        assert await rig.ask(service("a", "b")) == b"ping"
        assert rig.started() == 1
        await rig.close()

    run(main())


# Another replica


def test_a_refused_call_goes_to_another_replica() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        rig.hosts["a"].methods.refuses = True
        await rig.link("a", "b")
        for _ in range(10):
            assert await rig.ask(service("a", "b")) == b"ping"
        assert len(rig.hosts["b"].methods.started) == 10
        await rig.close()

    run(main())


def test_a_call_that_all_replicas_refuse_fails_as_they_say() -> None:
    async def main() -> None:
        rig = Rig("a", "b", "c")
        for host in rig.hosts.values():
            host.methods.refuses = True
        await rig.link("a", "b", "c")
        with pytest.raises(MeshError, match="full") as caught:
            await rig.ask(service("a", "b", "c"))
        assert caught.value.code is Code.RESOURCE_EXHAUSTED
        assert caught.value.retry_after == 1.0
        await rig.close()

    run(main())


def test_a_call_is_offered_to_a_few_replicas_at_most() -> None:
    async def main() -> None:
        names = [f"r{number}" for number in range(2 * ATTEMPTS)]
        rig = Rig(*names)
        for host in rig.hosts.values():
            host.methods.refuses = True
        await rig.link(*names)
        opened: list[CallerCall] = []
        with pytest.raises(MeshError, match="full"):
            await rig.ask(service(*names), on_open=opened.append)
        assert len(opened) == ATTEMPTS
        await rig.close()

    run(main())


def test_a_failure_of_the_method_is_not_tried_again() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.link("a", "b")
        with pytest.raises(MeshError, match="as told"):
            await rig.ask(service("a", "b"), "fail", idempotent=True)
        assert rig.started() == 1
        await rig.close()

    run(main())


def test_a_replica_that_dies_holding_the_call_fails_it() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.link("a", "b")
        asking = await rig.asked(service("a", "b"), "wait")
        rig.hosts[rig.holder()].die()
        with pytest.raises(Unavailable):
            await asking
        assert rig.started() == 1
        await rig.close()

    run(main())


def test_an_idempotent_call_survives_the_death_of_its_replica() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.link("a", "b")
        asking = await rig.asked(service("a", "b"), "wait", idempotent=True)
        dead = rig.holder()
        rig.hosts[dead].die()
        (other,) = rig.hosts.keys() - {dead}
        rig.hosts[other].methods.go_on.set()
        assert await asking == b"ping"
        await rig.close()

    run(main())


def test_the_budget_bounds_calls_that_are_sent_again_after_a_death() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        rig.dispatcher._budget.left = 0.5
        rig.dispatcher._budget.ratio = 0.0
        await rig.link("a", "b")
        asking = await rig.asked(service("a", "b"), "wait", idempotent=True)
        rig.hosts[rig.holder()].die()
        with pytest.raises(Unavailable):
            await asking
        await rig.close()

    run(main())


def test_a_refused_call_goes_to_a_replica_that_has_replaced_the_one_it_tried() -> None:
    async def main() -> None:
        rig = Rig("old", "new")
        rig.hosts["old"].methods.refuses = True
        await rig.link("old", "new")
        services = [service("new"), service("old")]
        assert await rig.ask(lambda: services.pop() if len(services) > 1 else services[0])
        assert rig.hosts["new"].methods.started == ["echo"]
        await rig.close()

    run(main())


def test_in_overload_a_call_does_not_wait_for_a_replica_without_a_link() -> None:
    async def main() -> None:
        rig = Rig("a")
        rig.hosts["a"].methods.refuses = True
        await rig.link("a")
        with pytest.raises(MeshError, match="full"):
            await rig.ask(service("a", "missing"))
        assert not rig.replicas.pauses
        await rig.close()

    run(main())


def test_a_replica_that_goes_away_hands_its_calls_to_the_one_that_replaces_it() -> None:
    async def main() -> None:
        rig = Rig("old", "new")
        await rig.link("old")
        services = [service("old")]
        call_opened = asyncio.Event()
        asking = asyncio.ensure_future(
            rig.ask(lambda: services[0], on_open=lambda _: call_opened.set())
        )
        rig.hosts["old"].end._is_going_away = True  # it refuses, and its caller does not know yet
        await call_opened.wait()
        services[0] = service("new")
        rig.replicas.follow("new")
        assert await asking == b"ping"
        assert rig.hosts["new"].methods.started == ["echo"]
        await rig.close()

    run(main())


def test_a_call_that_all_replicas_refused_because_they_go_away_waits_for_the_next_snapshot() -> (
    None
):
    async def main() -> None:
        rig = Rig("old", "new")
        await rig.link("old")
        services = [service("old")]
        opened: list[CallerCall] = []
        rig.hosts["old"].end._is_going_away = True
        asking = asyncio.ensure_future(rig.ask(lambda: services[0], on_open=opened.append))
        await until(lambda: opened and opened[0].is_done)
        await asyncio.sleep(0)
        assert not asking.done()
        services[0] = service("new")
        rig.replicas.follow("new")
        assert await asking == b"ping"
        await rig.close()

    run(main())


# Load


def test_a_call_goes_to_the_replica_that_has_room() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.link("a", "b")
        both = service("a", "b", max_concurrency=1)
        asking = await rig.asked(both, "wait")
        holder = rig.holder()
        for _ in range(10):
            assert await rig.ask(both) == b"ping"
        with pytest.raises(Overloaded):
            await asyncio.gather(rig.ask(both), rig.ask(both))
        rig.hosts[holder].methods.go_on.set()
        assert await asking == b"ping"
        await rig.close()

    run(main())


def test_a_service_without_replicas_is_unavailable_at_once() -> None:
    async def main() -> None:
        rig = Rig()
        with pytest.raises(Unavailable):
            await rig.ask(service())
        await rig.close()

    run(main())


# Waiting for links


def test_a_call_waits_for_a_link_that_is_still_opening() -> None:
    async def main() -> None:
        rig = Rig("a")
        rig.replicas.gate.clear()
        rig.replicas.follow("a")
        asking = asyncio.ensure_future(rig.ask(service("a")))
        await until(lambda: rig.replicas.pool._waiters)
        rig.replicas.gate.set()
        assert await asking == b"ping"
        assert not rig.replicas.pool._waiters
        await rig.close()

    run(main())


def test_a_call_that_waits_is_sent_to_a_replica_of_a_newer_snapshot() -> None:
    async def main() -> None:
        rig = Rig("new")
        services = [service("old")]
        rig.replicas.follow("old")
        asking = asyncio.ensure_future(rig.ask(lambda: services[0]))
        await until(lambda: rig.replicas.pool._waiters)
        services[0] = service("new")
        rig.replicas.follow("new")
        assert await asking == b"ping"
        await rig.close()

    run(main())


def test_a_replica_without_a_link_is_passed_over() -> None:
    async def main() -> None:
        rig = Rig("a")
        rig.replicas.follow("a", "missing", "lost")
        await rig.replicas.linked("a")
        for _ in range(20):
            assert await rig.ask(service("missing", "a", "lost")) == b"ping"
        await rig.close()

    run(main())


def test_a_call_does_not_wait_for_a_link_for_ever() -> None:
    async def main() -> None:
        rig = Rig()
        rig.replicas.follow("missing")
        asking = asyncio.ensure_future(rig.ask(service("missing")))
        await until(lambda: rig.replicas.pool._waiters)
        rig.replicas.now += LINK_WAIT + 1
        rig.replicas.follow("missing", "more")  # wakes those that wait
        with pytest.raises(Unavailable, match="no replica can be reached"):
            await asking
        await rig.close()

    run(main())


def test_a_call_that_waits_for_a_link_keeps_its_deadline() -> None:
    async def main() -> None:
        rig = Rig()
        rig.replicas.follow("missing")
        with pytest.raises(DeadlineExceeded):
            await rig.ask(service("missing"), deadline=rig.replicas.now + 0.001)
        await rig.close()

    run(main())


def test_a_call_whose_deadline_has_passed_is_not_sent() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.link("a")
        with pytest.raises(DeadlineExceeded):
            await rig.ask(service("a"), deadline=rig.replicas.now - 1)
        assert not rig.started()
        await rig.close()

    run(main())


def test_a_call_that_is_given_up_while_it_waits_for_a_link_leaves_nothing() -> None:
    async def main() -> None:
        rig = Rig()
        rig.replicas.follow("missing")
        asking = asyncio.ensure_future(rig.ask(service("missing")))
        await until(lambda: rig.replicas.pool._waiters)
        asking.cancel()
        await asyncio.wait([asking])
        assert not rig.replicas.pool._waiters
        await rig.close()

    run(main())


# Deadlines and cancellation


def test_a_deadline_ends_the_call_and_cancels_its_method() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.link("a")
        with pytest.raises(DeadlineExceeded, match="the deadline passed"):
            await rig.ask(service("a", timeout=60), "hang", deadline=rig.replicas.now + 0.01)
        await until(lambda: rig.hosts["a"].methods.cancelled or not rig.started())
        assert dict(rig.replicas.pool.loads) == {"a": 0}
        await rig.close()

    run(main())


def test_a_time_limit_ends_the_call_and_says_so() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.link("a")
        with pytest.raises(DeadlineExceeded, match=r"Not able to process the request in 0.01 sec"):
            await rig.ask(service("a", timeout=0.01), "hang")
        await rig.close()

    run(main())


def test_the_time_limit_counts_from_the_first_try() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        rig.hosts["a"].methods.refuses = True
        await rig.link("a", "b")
        opened: list[CallerCall] = []

        def first_try_is_slow(call: CallerCall) -> None:
            opened.append(call)
            if call.id and len(opened) == 1 and not rig.started():
                rig.replicas.now += 1000

        # Whichever replica comes first, the second try has no time left.
        rig.hosts["b"].methods.refuses = True
        with pytest.raises(DeadlineExceeded):
            await rig.ask(service("a", "b", timeout=500), on_open=first_try_is_slow)
        await rig.close()

    run(main())


def test_a_caller_that_is_cancelled_cancels_its_call() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.link("a")
        asking = await rig.asked(service("a"), "hang")
        asking.cancel()
        await asyncio.wait([asking])
        await until(lambda: rig.hosts["a"].methods.cancelled)
        assert dict(rig.replicas.pool.loads) == {"a": 0}
        await rig.close()

    run(main())


def test_a_call_whose_request_is_sent_later_is_opened_and_waited_for() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.link("a")
        target = service("a", timeout=60)
        head = CallHead("join")
        call, _ = await rig.dispatcher.open(lambda: target, head)
        for part in b"a", b"b":
            await call.send(part)
        await call.send(b"", message_end=False, end=True)
        await rig.dispatcher.reply(call, target, head)
        assert await call.message() == b"ab"
        await rig.close()

    run(main())
