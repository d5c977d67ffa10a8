"""How requests ended, as the controller is told."""

import asyncio
from dataclasses import replace

import pytest

from gateway.outcomes import OutcomeCounts, is_fault
from mesh.control.loads import MOST_OUTCOMES, Outcomes
from mesh.traffic.latency import bucket, quantile
from tests.gateway.asgi_client import Exchange
from tests.gateway.rig import World, in_world
from tests.gateway.services import Demo
from tests.link.rig import run, until
from tests.replica.rig import Running, snapshot, version

MAIN = ("demo", "main-1")


def ended(made: World) -> dict[tuple[str, str], tuple[int, int]]:
    """Requests and errors by version since the last look."""
    return {key: (each.requests, each.errors) for key, each in made.gateway.outcomes.take().items()}


def test_counts_are_taken_once() -> None:
    counts = OutcomeCounts()
    counts.count("d", "v", "200", 0.01)
    counts.count("d", "v", "500", 1.0)
    counts.count("d", "w", "OK", 0.01)
    taken = counts.take()
    assert taken == {
        ("d", "v"): Outcomes(2, 1, {bucket(0.01): 1, bucket(1.0): 1}),
        ("d", "w"): Outcomes(1, 0, {bucket(0.01): 1}),
    }
    assert quantile(taken["d", "v"].latencies, 0.0) == pytest.approx(0.01, rel=0.06)
    assert counts.take() == {}


def test_so_many_versions_at_most_are_counted() -> None:
    counts = OutcomeCounts()
    for number in range(MOST_OUTCOMES + 5):
        counts.count("d", str(number), "200", 0.01)
    counts.count("d", "0", "200", 0.01)
    taken = counts.take()
    assert len(taken) == MOST_OUTCOMES
    assert taken["d", "0"].requests == 2


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        *((code, True) for code in ("500", "503", "504", "599")),
        *((code, False) for code in ("0", "200", "302", "400", "404", "429", "499")),
        *(
            (code, True)
            for code in ("UNKNOWN", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "DEADLINE_EXCEEDED")
        ),
        *(
            (code, False)
            for code in ("OK", "CANCELLED", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "NOT_FOUND")
        ),
    ],
)
def test_what_counts_as_the_fault_of_the_service(code: str, fault: bool) -> None:
    assert is_fault(code) is fault


@in_world
async def test_requests_count_for_their_version_and_pages_for_none(made: World) -> None:
    assert (await made.post("/greet", {"name": "you"})).status == 200
    assert (await made.post("/greet", {"nam": "you"})).status == 400
    assert (await made.post("/crash")).status == 500
    assert (await made.post("/nothing")).status == 404
    assert (await made.get("/readyz")).status == 200
    assert ended(made) == {MAIN: (3, 1)}
    assert (await made.call("greet", name="you")).code == 0
    assert (await made.call("crash")).code == 13
    assert ended(made) == {MAIN: (2, 1)}


@in_world
async def test_a_client_that_goes_away_is_not_the_fault_of_the_service(made: World) -> None:
    exchange = Exchange(made.gateway, "POST", "/hang")
    await exchange.feed()
    await until(lambda: made.demo.started == 1)
    await exchange.leave()
    await exchange.done()
    assert ended(made) == {MAIN: (1, 0)}


def test_versions_are_told_apart_and_the_one_that_answered_counts() -> None:
    async def main() -> None:
        made = World(Running(Demo(), "one"), Running(Demo(), "two"))
        asleep = version(Demo, {}, name="v2", weight=0)
        cold = replace(asleep.services["Demo"], cold_start=60.0)
        main_version = version(Demo, {"Demo": ("one",)})
        asleep = replace(asleep, services={"Demo": cold})
        await made.open(snapshot(main_version, asleep))
        await made.post("/greet", {"name": "you"})
        named = [("x-mesh-version", "v2")]
        asking = asyncio.ensure_future(made.post("/greet", {"name": "you"}, headers=named))
        await until(made.links.dispatcher.turns.waiting)
        # The version's name passes to another release while the request waits.
        other = replace(version(Demo, {"Demo": ("two",)}, name="v2", weight=0), id="v2-2")
        await made.links.follow(snapshot(main_version, other, number=2))
        assert (await asking).status == 200
        assert ended(made) == {MAIN: (1, 0), ("demo", "v2-2"): (1, 0)}
        await made.links.close()

    run(main())
