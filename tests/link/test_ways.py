"""Which way a caller sends a request at an endpoint where more than weights decide."""

import asyncio
from dataclasses import replace

import pytest

from mesh.errors import Unavailable
from mesh.traffic.snapshot import (
    Deployment,
    Endpoint,
    LoadBalance,
    Rule,
    Session,
    Snapshot,
    Upstream,
    Version,
    WeightedDeployment,
)
from mesh.traffic.way import NO_PREFERENCE, Preference
from tests.link.replicas import Rig, service
from tests.link.rig import run, until

OVERFLOW = Endpoint(
    "e",
    (WeightedDeployment("a", 1), WeightedDeployment("b", 1)),
    LoadBalance.OVERFLOW,
    scale_out_delay=10.0,
)
PLAIN = Endpoint("e", (WeightedDeployment("a", 1),))


def deployment(name: str, *replicas: str, cold_start: float = 0.0) -> Deployment:
    entry = replace(service(*replicas), concurrency=1, cold_start=cold_start)
    return Deployment(name, (Version(f"{name}-1", "main", "s", {"s": entry}, 100),))


def table(endpoint: Endpoint, *deployments: Deployment, number: int = 1) -> Snapshot:
    return Snapshot(
        1, number, {endpoint.name: endpoint}, {each.name: each for each in deployments}, "e"
    )


def chosen(rig: Rig, preference: Preference = NO_PREFERENCE) -> str:
    endpoint = rig.dispatcher.snapshot.endpoints["e"]
    name, _ = rig.dispatcher.choices.choose(
        endpoint, named="", key=lambda _: None, preference=preference
    )
    return name


def outside(rig: Rig, *, alone: bool = False) -> Upstream | None:
    endpoint = rig.dispatcher.snapshot.endpoints["e"]
    return rig.dispatcher.choices.outside(
        endpoint, preference=NO_PREFERENCE, able=lambda _: True, alone=alone
    )


def test_requests_overflow_by_the_calls_that_this_caller_has_at_replicas() -> None:
    async def main() -> None:
        rig = Rig("r1", "r2")
        rig.dispatcher.follow(table(OVERFLOW, deployment("a", "r1"), deployment("b", "r2")))
        await rig.replicas.linked("r1", "r2")
        assert {chosen(rig) for _ in range(20)} == {"a"}
        running = await rig.asked(service("r1"), "hang")
        assert {chosen(rig) for _ in range(20)} == {"b"}
        running.cancel()
        await until(lambda: not rig.replicas.pool.loads["r1"])
        assert {chosen(rig) for _ in range(20)} == {"a"}
        await rig.close()

    run(main())


def test_one_that_sleeps_is_chosen_when_the_one_above_has_been_full_for_the_delay() -> None:
    async def main() -> None:
        rig = Rig("r1")
        asleep = deployment("b", cold_start=60.0)
        rig.dispatcher.follow(table(OVERFLOW, deployment("a", "r1"), asleep))
        await rig.replicas.linked("r1")
        running = await rig.asked(service("r1"), "hang")
        assert chosen(rig) == "a"
        rig.replicas.now += 9.0
        assert chosen(rig) == "a"
        # A new snapshot changes nothing about how long it has been full.
        rig.dispatcher.follow(table(OVERFLOW, deployment("a", "r1"), asleep, number=2))
        rig.replicas.now += 1.0
        assert chosen(rig) == "b"
        running.cancel()
        await asyncio.wait([running])
        await until(lambda: not rig.replicas.pool.loads["r1"])
        assert chosen(rig) == "a"
        await rig.close()

    run(main())


@pytest.mark.parametrize(
    "endpoint",
    [
        replace(PLAIN, load_balance=LoadBalance.OVERFLOW),
        replace(PLAIN, load_balance=LoadBalance.CAPACITY),
        replace(PLAIN, rules=(Rule((), "b"),)),
        replace(PLAIN, session=Session("x-user")),
        replace(PLAIN, upstreams=(Upstream("up", "http://up"),)),
    ],
)
def test_what_was_chosen_once_is_not_taken_for_the_only_choice(endpoint: Endpoint) -> None:
    async def main() -> None:
        rig = Rig("r1", "r2")
        rig.dispatcher.follow(table(endpoint, deployment("a", "r1"), deployment("b", "r2")))
        await rig.replicas.linked("r1", "r2")
        assert chosen(rig) == "a"
        assert chosen(rig, Preference(Rule((), "b"))) == "b"
        assert chosen(rig) == "a"
        assert not rig.dispatcher.choices._only_choice
        await rig.close()

    run(main())


def test_an_upstream_is_chosen_beside_deployments_and_by_choose_never() -> None:
    async def main() -> None:
        rig = Rig("r1")
        up = Upstream("up", "http://up", 1)
        rig.dispatcher.follow(table(replace(PLAIN, upstreams=(up,)), deployment("a", "r1")))
        await rig.replicas.linked("r1")
        assert {outside(rig) for _ in range(40)} == {None, up}
        assert {outside(rig, alone=True) for _ in range(40)} == {up}
        assert {chosen(rig) for _ in range(40)} == {"a"}
        rig.dispatcher.follow(table(replace(PLAIN, upstreams=(up,)), number=2))
        assert outside(rig) == up
        with pytest.raises(Unavailable, match="no deployment of endpoint 'e'"):
            chosen(rig)
        await rig.close()

    run(main())


def test_how_full_an_endpoint_was_is_forgotten_with_it() -> None:
    async def main() -> None:
        rig = Rig("r1")
        rig.dispatcher.follow(table(OVERFLOW, deployment("a", "r1")))
        await rig.replicas.linked("r1")
        running = await rig.asked(service("r1"), "hang")
        assert chosen(rig) == "a"
        assert repr(rig.dispatcher.choices._ways) == "<Ways 1 endpoints full>"
        rig.dispatcher.follow(table(replace(PLAIN, name="f"), deployment("a", "r1"), number=2))
        assert repr(rig.dispatcher.choices._ways) == "<Ways 0 endpoints full>"
        running.cancel()
        await asyncio.wait([running])
        await rig.close()

    run(main())
