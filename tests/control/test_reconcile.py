"""What should run and what does → actions."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from mesh.control.advance import advance
from mesh.control.desired import DesiredDeployment, DesiredVersion, Strategy
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.reconcile import (
    LONGEST_WAIT,
    ROUNDS,
    STABLE,
    Action,
    DrainReplica,
    Forget,
    StartReplica,
    StopReplica,
    retry_at,
)
from mesh.control.records import Intent
from tests.control.simulation import Simulation, desired, replica, version


def actions(want: DesiredDeployment, found: Sequence[ObservedReplica], now: float) -> list[Action]:
    return list(advance(want, {}, {}, found, now).actions)


def test_replicas_that_are_missing_are_started() -> None:
    found = actions(desired(version("v1", A=2, B=1)), [], now=0.0)
    assert [a.launch.service for a in found if isinstance(a, StartReplica)] == ["A", "A", "B"]


def test_replicas_that_start_are_not_started_again() -> None:
    observed = [replica("a", phase=Phase.STARTING)]
    assert actions(desired(version("v1")), observed, now=0.0) == []


def test_scaling_down_keeps_the_oldest_and_drains_what_no_snapshot_holds() -> None:
    observed = [replica("new", since=2.0), replica("old", since=1.0)]
    assert actions(desired(version("v1")), observed, 9.0) == [DrainReplica("new")]


def test_a_surplus_replica_that_only_starts_is_stopped_at_once() -> None:
    observed = [replica("a"), replica("b", phase=Phase.STARTING)]
    assert actions(desired(version("v1")), observed, 9.0) == [StopReplica("b")]


def test_what_is_drained_is_stopped_and_what_is_gone_is_forgotten() -> None:
    observed = [replica("a"), replica("b", "v0", Phase.DRAINED), replica("c", "v0", Phase.GONE)]
    assert actions(desired(version("v1")), observed, 9.0) == [StopReplica("b"), Forget("c")]


def test_a_replica_that_had_worked_is_replaced_at_once() -> None:
    observed = [replica("a", phase=Phase.FAILED, since=100.0, lived=STABLE)]
    found = actions(desired(version("v1")), observed, now=100.0)
    assert [type(action) for action in found] == [StartReplica]


def test_repeated_failures_are_tried_again_ever_more_slowly() -> None:
    failed = [replica(f"r{n}", phase=Phase.FAILED, since=float(n)) for n in range(30)]
    waits = [retry_at(failed[: n + 1], 1) - n for n in range(30)]
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_WAIT
    assert waits == sorted(waits)


def test_nothing_is_started_before_the_wait_is_over() -> None:
    observed = [replica("a", phase=Phase.FAILED, since=100.0)]
    step = advance(desired(version("v1")), {}, {}, observed, 100.5)
    assert step.actions == []
    assert step.again == 101.0
    assert len(actions(desired(version("v1")), observed, now=101.0)) == 1


def test_replicas_that_fail_together_count_as_one_failure() -> None:
    failed = [replica(f"r{n}", phase=Phase.FAILED, since=0.0) for n in range(4)]
    assert retry_at(failed, 4) == retry_at(failed[:1], 1)


def test_failures_are_remembered_until_the_service_is_stable_and_only_so_many() -> None:
    failed = [replica(f"f{n:02}", phase=Phase.FAILED, since=float(n)) for n in range(40)]
    kept = actions(desired(version("v1")), failed, now=40.0)
    assert len(kept) == 40 - ROUNDS
    working = [*failed, replica("a", since=50.0)]
    step = advance(desired(version("v1")), {}, {}, working, 51.0)
    assert step.actions == []
    assert step.again == 50.0 + STABLE
    later = actions(desired(version("v1")), working, now=50.0 + STABLE)
    assert later == [Forget(each.id) for each in failed]


def test_replicas_of_a_deleted_deployment_end() -> None:
    observed = [replica("a"), replica("b", phase=Phase.STARTING), replica("c", phase=Phase.FAILED)]
    retired = desired(version("v1"), intent=Intent.DELETE)
    found = actions(retired, observed, now=0.0)
    assert set(found) == {DrainReplica("a"), StopReplica("b"), Forget("c")}


def test_versions_with_one_id_share_replicas() -> None:
    both = desired(version("v1", weight=80, A=2), version("v1", "canary", 20, A=3))
    assert len(actions(both, [], now=0.0)) == 3


NAMES = st.sampled_from(["main", "canary"])
SERVICES = ["A", "B"]
GRAPHS = {"v1": ["A", "B"], "v2": ["A"], "v3": ["B", "A"]}
"""The services of each release, its entry first: one id is one release for all time."""


@st.composite
def deployments(draw: st.DrawFn) -> DesiredDeployment:
    versions: list[DesiredVersion] = []
    for name in draw(st.lists(NAMES, unique=True, min_size=1)):
        identity = draw(st.sampled_from(sorted(GRAPHS)))
        services = {service: draw(st.integers(0, 5)) for service in GRAPHS[identity]}
        strategy = draw(st.sampled_from(Strategy))
        versions.append(version(identity, name, 50, strategy, **services))
    return desired(*versions)


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
            since=draw(st.floats(0, 100)),
            lived=draw(st.sampled_from([0.0, 1.0, STABLE])),
        )
    return found


def expected(want: DesiredDeployment) -> dict[tuple[str, str], int]:
    numbers: dict[tuple[str, str], int] = {}
    for each in want.versions:
        for service in each.services.values():
            key = (each.id, service.name)
            numbers[key] = max(numbers.get(key, 0), service.min_replicas)
    return {key: number for key, number in numbers.items() if number}


def counted(world: Simulation) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for each in world.replicas.values():
        assert each.phase is Phase.READY
        found[each.version_id, each.service] = found.get((each.version_id, each.service), 0) + 1
    return found


@given(deployments(), replicas(), st.lists(deployments(), max_size=3))
@settings(deadline=None)
def test_from_any_state_it_converges_and_then_does_nothing(
    want: DesiredDeployment, found: dict[str, ObservedReplica], before: list[DesiredDeployment]
) -> None:
    world = Simulation(want, dict(found), now=100.0)
    for earlier in before:
        world.desired = earlier
        world.settle(rounds=3)
    world.desired = want
    world.settle(rounds=120)
    assert world.step() == []
    assert counted(world) == expected(want)
    assert world.published() == world.replicas.keys()
    assert {name: [each.id for each in found] for name, found in world.standing.items()} == {
        each.name: [each.id] for each in want.versions
    }


@given(deployments(), replicas(), st.floats(0, 200))
def test_the_same_state_gives_the_same_actions(
    want: DesiredDeployment, found: dict[str, ObservedReplica], now: float
) -> None:
    forwards = actions(want, list(found.values()), now)
    backwards = actions(want, list(reversed(found.values())), now)
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
        before = {each.id for each in world.standing["main"]}
        world.step()
        for new in {each.id for each in world.standing["main"]} - before:
            able = {world.replicas[identity].service for identity in world.ids(new, Phase.READY)}
            assert able >= {"A", "B"}
        live = {k for k, v in world.replicas.items() if v.phase is Phase.READY}
        assert world.published() <= live
    world.settle()
    assert [each.id for each in world.standing["main"]] == [world.desired.versions[0].id]
    assert len(world.published()) == 3


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
