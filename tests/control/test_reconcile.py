"""Desired and observed → actions."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, strategies as st

from mesh.control.desired import Desired, DesiredDeployment, Serving
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.reconcile import (
    LONGEST_WAIT,
    ROUNDS,
    STABLE,
    DrainReplica,
    Forget,
    StartReplica,
    StopReplica,
    reconcile,
    retry_at,
)
from tests.control.simulation import Simulation, desired, published, replica, version

NOTHING = Serving()


def test_replicas_that_are_missing_are_started() -> None:
    actions = reconcile(desired(version("v1", A=2, B=1)), [], NOTHING, now=0.0)
    assert [a.launch.service for a in actions if isinstance(a, StartReplica)] == ["A", "A", "B"]


def test_replicas_that_start_are_not_started_again() -> None:
    observed = [replica("a", phase=Phase.STARTING)]
    assert reconcile(desired(version("v1")), observed, NOTHING, now=0.0) == []


def test_scaling_down_keeps_the_oldest_and_drains_what_no_snapshot_holds() -> None:
    observed = [replica("new", since=2.0), replica("old", since=1.0)]
    assert reconcile(desired(version("v1")), observed, NOTHING, 9.0) == [DrainReplica("new")]


def test_a_replica_in_the_snapshot_is_not_drained() -> None:
    observed = [replica("new", since=2.0), replica("old", since=1.0)]
    serving = Serving({}, frozenset({"new", "old"}))
    assert reconcile(desired(version("v1")), observed, serving, 9.0) == []


def test_a_surplus_replica_that_only_starts_is_stopped_at_once() -> None:
    observed = [replica("a"), replica("b", phase=Phase.STARTING)]
    assert reconcile(desired(version("v1")), observed, NOTHING, 9.0) == [StopReplica("b")]


def test_what_is_drained_is_stopped_and_what_is_gone_is_forgotten() -> None:
    observed = [replica("a"), replica("b", "v0", Phase.DRAINED), replica("c", "v0", Phase.GONE)]
    actions = reconcile(desired(version("v1")), observed, NOTHING, 9.0)
    assert actions == [StopReplica("b"), Forget("c")]


def test_a_replica_that_had_worked_is_replaced_at_once() -> None:
    observed = [replica("a", phase=Phase.FAILED, since=100.0, lived=STABLE)]
    actions = reconcile(desired(version("v1")), observed, NOTHING, now=100.0)
    assert [type(action) for action in actions] == [StartReplica]


def test_repeated_failures_are_tried_again_ever_more_slowly() -> None:
    failed = [replica(f"r{n}", phase=Phase.FAILED, since=float(n)) for n in range(30)]
    waits = [retry_at(failed[: n + 1], 1) - n for n in range(30)]
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_WAIT
    assert waits == sorted(waits)


def test_nothing_is_started_before_the_wait_is_over() -> None:
    observed = [replica("a", phase=Phase.FAILED, since=100.0)]
    assert reconcile(desired(version("v1")), observed, NOTHING, now=100.5) == []
    assert len(reconcile(desired(version("v1")), observed, NOTHING, now=101.0)) == 1


def test_replicas_that_fail_together_count_as_one_failure() -> None:
    failed = [replica(f"r{n}", phase=Phase.FAILED, since=0.0) for n in range(4)]
    assert retry_at(failed, 4) == retry_at(failed[:1], 1)


def test_failures_are_remembered_until_the_service_is_stable_and_only_so_many() -> None:
    failed = [replica(f"f{n:02}", phase=Phase.FAILED, since=float(n)) for n in range(40)]
    kept = reconcile(desired(version("v1")), failed, NOTHING, now=40.0)
    assert len(kept) == 40 - ROUNDS
    working = [*failed, replica("a", since=50.0)]
    assert reconcile(desired(version("v1")), working, NOTHING, now=51.0) == []
    later = reconcile(desired(version("v1")), working, NOTHING, now=50.0 + STABLE)
    assert later == [Forget(each.id) for each in failed]


def test_replicas_of_a_deleted_deployment_end() -> None:
    observed = [replica("a"), replica("b", phase=Phase.STARTING), replica("c", phase=Phase.FAILED)]
    retired = Desired(retired=frozenset({"d"}))
    actions = reconcile(retired, observed, NOTHING, now=0.0)
    assert set(actions) == {DrainReplica("a"), StopReplica("b"), Forget("c")}


def test_replicas_of_an_unknown_deployment_are_left_alone() -> None:
    observed = [replica(phase.value, phase=phase) for phase in Phase]
    assert reconcile(Desired(), observed, NOTHING, now=0.0) == []


def test_versions_with_one_id_share_replicas() -> None:
    both = desired(version("v1", weight=80, A=2), version("v1", "canary", 20, A=3))
    assert len(reconcile(both, [], NOTHING, now=0.0)) == 3


NAMES = st.sampled_from(["main", "canary"])
SERVICES = ["A", "B"]


@st.composite
def fleets(draw: st.DrawFn) -> Desired:
    versions = []
    for name in draw(st.lists(NAMES, unique=True, min_size=1)):
        services = draw(st.dictionaries(st.sampled_from(SERVICES), st.integers(0, 3), min_size=1))
        identity = draw(st.sampled_from(["v1", "v2", "v3"]))
        versions.append(version(identity, name, 50, **services))
    # One id is one release: where two versions share it, they have the same services.
    for index, each in enumerate(versions[1:], 1):
        if each.id == versions[0].id:
            versions[index] = replace(versions[0], name=each.name)
    deployment = DesiredDeployment("d", 1, tuple(versions))
    return Desired({"d": deployment}, retired=frozenset({"old"}))


@st.composite
def replicas(draw: st.DrawFn) -> dict[str, ObservedReplica]:
    found = {}
    for index in range(draw(st.integers(0, 12))):
        identity = f"r{index}"
        found[identity] = replica(
            identity,
            draw(st.sampled_from(["v0", "v1", "v2"])),
            draw(st.sampled_from(list(Phase))),
            service=draw(st.sampled_from(SERVICES)),
            deployment=draw(st.sampled_from(["d", "old", "other"])),
            since=draw(st.floats(0, 100)),
            lived=draw(st.sampled_from([0.0, 1.0, STABLE])),
        )
    return found


@given(fleets(), replicas())
def test_from_any_state_it_converges_and_then_does_nothing(
    want: Desired, found: dict[str, ObservedReplica]
) -> None:
    world = Simulation(want, dict(found), now=100.0)
    world.settle()
    assert world.step() == []
    ours = {k: v for k, v in world.replicas.items() if v.deployment != "other"}
    others = {k for k, v in found.items() if v.deployment == "other"}
    assert world.replicas.keys() - ours.keys() == others
    assert all(each.phase is Phase.READY and each.deployment == "d" for each in ours.values())
    expected: dict[tuple[str, str], int] = {}
    for each in want.deployments["d"].versions:
        for service in each.services.values():
            key = (each.id, service.name)
            expected[key] = max(expected.get(key, 0), service.replicas)
    counted: dict[tuple[str, str], int] = {}
    for one in ours.values():
        counted[one.version_id, one.service] = counted.get((one.version_id, one.service), 0) + 1
    assert counted == {key: number for key, number in expected.items() if number}
    assert published(world.snapshot) == ours.keys()


@given(fleets(), replicas(), st.floats(0, 200))
def test_the_same_state_gives_the_same_actions(
    want: Desired, found: dict[str, ObservedReplica], now: float
) -> None:
    forwards = reconcile(want, list(found.values()), NOTHING, now)
    backwards = reconcile(want, list(reversed(found.values())), NOTHING, now)
    assert forwards == backwards


@given(
    st.lists(
        st.sampled_from(["start", "die", "drain", "look", "wait", "new release", "old release"]),
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_whatever_happens_a_ready_release_serves_until_its_successor_is_ready(
    events: list[str], rng: Random
) -> None:
    world = Simulation(desired(version("v1", A=2, B=1)))
    world.settle()
    for event in events:
        _happen(world, event, rng)
        before = world.serving
        world.step()
        standing = world.serving.versions["d", "main"]
        if standing.id != before.versions["d", "main"].id:
            able = {
                each.service
                for each in world.replicas.values()
                if each.version_id == standing.id and each.phase is Phase.READY
            }
            assert able >= {"A", "B"}
        live = {k for k, v in world.replicas.items() if v.phase is Phase.READY}
        assert published(world.snapshot) <= live
    world.settle()
    assert world.serving.versions["d", "main"].id == world.desired.deployments["d"].versions[0].id
    assert len(published(world.snapshot)) == 3


def _happen(world: Simulation, event: str, rng: Random) -> None:
    def some(phase: Phase) -> list[str]:
        found = sorted(k for k, v in world.replicas.items() if v.phase is phase)
        return [rng.choice(found)] if found else []

    match event:
        case "start":
            for identity in some(Phase.STARTING):
                world.ready(identity)
        case "die":
            for identity in some(Phase.READY):
                world.die(identity)
        case "drain":
            world.progress()
        case "wait":
            world.now += 5.0
        case "new release":
            world.desired = desired(version("v2", A=2, B=1), revision=2)
        case "old release":
            world.desired = desired(version("v1", A=2, B=1), revision=3)


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.READY, Phase.DRAINING])
def test_a_fixed_point_needs_no_actions_while_others_are_under_way(phase: Phase) -> None:
    world = Simulation(desired(version("v1")), {"x": replica("x", phase=phase)})
    world.step()
    assert not [action for action in world.step() if not isinstance(action, Forget)]
