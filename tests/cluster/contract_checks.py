"""What every cluster keeps (see mesh.cluster.contract), as checks to run against each."""

import asyncio
from collections.abc import Callable
from itertools import count

import pytest

from mesh.cluster.contract import Cluster
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.standby import Warm
from mesh.errors import NotFound
from mesh.launch import Launch, Source
from tests.cluster.hosts import BUSY, EXITS, FAILS

_numbers = count(1)


def launch(target: str = "works", **settings: object) -> Launch:
    """A replica to start that behaves as `target` says (see `hosts`)."""
    return Launch(
        replica_id=f"check-{next(_numbers)}",
        deployment="d",
        version_id="d-1",
        version="main",
        service="A",
        source=Source(target),
        **settings,  # type: ignore[arg-type]  # given by name
    )


def find(cluster: Cluster, replica_id: str) -> ObservedReplica | None:
    return next((each for each in cluster.observe() if each.id == replica_id), None)


async def until(cluster: Cluster, replica_id: str, *phases: Phase) -> ObservedReplica:
    """Waits for news until the replica is in one of `phases`."""
    async with asyncio.timeout(60):
        while (found := find(cluster, replica_id)) is None or found.phase not in phases:
            await cluster.changed()
    return found


async def a_replica_starts_and_becomes_ready_with_an_address(cluster: Cluster) -> None:
    one = launch()
    await cluster.start(one)
    first = find(cluster, one.replica_id)
    assert first is not None
    assert (first.deployment, first.version_id, first.service) == ("d", "d-1", "A")
    ready = await until(cluster, one.replica_id, Phase.READY)
    assert ready.address.endswith(":1")
    assert ready.reason == ""
    assert ready.node


async def a_replica_that_cannot_start_fails_with_the_reason_in_one_line(cluster: Cluster) -> None:
    one, two = launch(FAILS), launch(EXITS)
    await cluster.start(one)
    await cluster.start(two)
    failed = await until(cluster, one.replica_id, Phase.FAILED)
    assert failed.reason == "ModuleNotFoundError: No module named 'numbat'"
    assert failed.lived == 0
    failed = await until(cluster, two.replica_id, Phase.FAILED)
    assert failed.reason == "SystemExit: the model is missing"


async def a_replica_that_is_refused_has_failed_and_can_be_forgotten(cluster: Cluster) -> None:
    one = launch()
    await cluster.refuse(one, "there is no secret 'db'")
    failed = await until(cluster, one.replica_id, Phase.FAILED)
    assert failed.reason == "there is no secret 'db'"
    assert (await cluster.logs(one.replica_id)).text == ""
    cluster.forget(one.replica_id)
    assert find(cluster, one.replica_id) is None


async def a_replica_drains_and_then_stops(cluster: Cluster) -> None:
    one = launch()
    await cluster.start(one)
    await until(cluster, one.replica_id, Phase.READY)
    await cluster.drain(one.replica_id)
    await until(cluster, one.replica_id, Phase.DRAINED)
    await cluster.stop(one.replica_id)
    await until(cluster, one.replica_id, Phase.GONE)


async def draining_ends_when_the_time_is_up(cluster: Cluster) -> None:
    one = launch(BUSY)
    await cluster.start(one)
    await until(cluster, one.replica_id, Phase.READY)
    await cluster.drain(one.replica_id, 0.05)
    await until(cluster, one.replica_id, Phase.DRAINED)


async def a_replica_can_be_stopped_while_it_drains(cluster: Cluster) -> None:
    one = launch(BUSY)
    await cluster.start(one)
    await until(cluster, one.replica_id, Phase.READY)
    await cluster.drain(one.replica_id, 60.0)
    await cluster.stop(one.replica_id)
    await until(cluster, one.replica_id, Phase.GONE)


async def a_replica_can_be_stopped_while_it_starts(cluster: Cluster) -> None:
    one = launch()
    await cluster.start(one)
    await cluster.stop(one.replica_id)
    await cluster.stop(one.replica_id)
    await until(cluster, one.replica_id, Phase.GONE)


async def what_has_ended_can_be_forgotten_and_what_runs_cannot(cluster: Cluster) -> None:
    one, two = launch(FAILS), launch()
    await cluster.start(one)
    await cluster.start(two)
    await until(cluster, one.replica_id, Phase.FAILED)
    await until(cluster, two.replica_id, Phase.READY)
    cluster.forget(one.replica_id)
    cluster.forget(two.replica_id)
    assert find(cluster, one.replica_id) is None
    assert find(cluster, two.replica_id) is not None


async def replicas_that_are_not_there_are_no_error(cluster: Cluster) -> None:
    await cluster.drain("nobody")
    await cluster.stop("nobody")
    cluster.forget("nobody")


async def the_log_of_a_replica_is_read_in_pieces_until_there_is_no_more(cluster: Cluster) -> None:
    one = launch()
    await cluster.start(one)
    await until(cluster, one.replica_id, Phase.READY)
    whole = await cluster.logs(one.replica_id)
    assert whole.text.endswith("\n")
    pieces, after = "", 0
    while (piece := await cluster.logs(one.replica_id, after, 16)).text:
        assert len(piece.text.encode()) <= 16
        pieces, after = pieces + piece.text, piece.next
    assert pieces.endswith(whole.text)
    assert (await cluster.logs(one.replica_id, whole.next)).text == ""


async def the_log_outlives_the_replica(cluster: Cluster) -> None:
    one = launch()
    await cluster.start(one)
    await until(cluster, one.replica_id, Phase.READY)
    before = await cluster.logs(one.replica_id)
    await cluster.stop(one.replica_id)
    await until(cluster, one.replica_id, Phase.GONE)
    cluster.forget(one.replica_id)
    assert (await cluster.logs(one.replica_id)).text.startswith(before.text)


async def a_replica_that_never_was_has_no_log(cluster: Cluster) -> None:
    with pytest.raises(NotFound, match="there is no replica 'nobody'"):
        await cluster.logs("nobody")


async def until_warm(cluster: Cluster, **wanted: int) -> None:
    """Waits until so many standbys are ready, and no others."""
    async with asyncio.timeout(60):
        while cluster.warm() != wanted:  # noqa: ASYNC110  # nobody tells of standbys
            await asyncio.sleep(0.02)


async def standbys_are_kept_beside_the_replicas_and_are_none(cluster: Cluster) -> None:
    await cluster.keep_warm({"small": Warm(2, cpu=1.0)})
    await until_warm(cluster, small=2)
    assert not cluster.observe()
    one = launch(cpu=1.0)
    await cluster.start(one)
    await until(cluster, one.replica_id, Phase.READY)
    assert [each.id for each in cluster.observe()] == [one.replica_id]
    await until_warm(cluster, small=2)
    await cluster.keep_warm({})
    await until_warm(cluster)


WARM_CHECKS = (standbys_are_kept_beside_the_replicas_and_are_none,)
"""For clusters that have standbys."""
CHECKS = (
    a_replica_starts_and_becomes_ready_with_an_address,
    a_replica_that_cannot_start_fails_with_the_reason_in_one_line,
    a_replica_that_is_refused_has_failed_and_can_be_forgotten,
    a_replica_drains_and_then_stops,
    draining_ends_when_the_time_is_up,
    a_replica_can_be_stopped_while_it_drains,
    a_replica_can_be_stopped_while_it_starts,
    what_has_ended_can_be_forgotten_and_what_runs_cannot,
    replicas_that_are_not_there_are_no_error,
    the_log_of_a_replica_is_read_in_pieces_until_there_is_no_more,
    the_log_outlives_the_replica,
    a_replica_that_never_was_has_no_log,
)


async def end_all(cluster: Cluster) -> None:
    """Stops what a check has left."""
    for each in cluster.observe():
        if each.phase not in (Phase.FAILED, Phase.GONE):
            await cluster.stop(each.id)
            await until(cluster, each.id, Phase.GONE, Phase.FAILED)
        cluster.forget(each.id)
    await cluster.close()


async def checked(make: Callable[[], Cluster], check: object) -> None:
    """Runs one check against a cluster of its own."""
    cluster = make()
    await cluster.adopt()
    try:
        await check(cluster)  # type: ignore[operator]  # one of CHECKS
    finally:
        await end_all(cluster)


def run(make: Callable[[], Cluster], check: object) -> None:
    """The same in a loop of its own."""
    asyncio.run(checked(make, check))
