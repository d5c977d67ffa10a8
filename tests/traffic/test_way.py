"""Which deployment or upstream of an endpoint takes a request."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st

from mesh.link.ways import sleeps
from mesh.traffic.endpoint import Way
from mesh.traffic.overflow import NOT_FULL, FullSince
from mesh.traffic.places import ASSUMED
from mesh.traffic.snapshot import (
    Deployment,
    Endpoint,
    LoadBalance,
    Replica,
    Rule,
    Service,
    Session,
    Upstream,
    Version,
    WeightedDeployment,
)
from mesh.traffic.way import NO_PREFERENCE, Choice, Preference, View, choose_way
from tests.traffic.test_split import is_fair, weights

KEYS = [f"user-{number}" for number in range(3_000)]
UP = Upstream("up", "http://up", 1)


def endpoint(*weights: int, upstreams: Sequence[Upstream] = (), **more: Any) -> Endpoint:
    deployments = tuple(WeightedDeployment(f"d{i}", w) for i, w in enumerate(weights))
    return Endpoint("e", deployments, upstreams=tuple(upstreams), **more)


def deployment(name: str, replicas: int = 1, *, weight: int = 100, **service: Any) -> Deployment:
    """With one version, whose replicas are called after the deployment: d0/0, d0/1."""
    entry = Service(
        "S", replicas=tuple(Replica(f"{name}/{i}", "") for i in range(replicas)), **service
    )
    return Deployment(name, (Version(f"{name}-1", "main", "S", {"S": entry}, weight),))


def way(
    where: Endpoint,
    *deployments: Deployment,
    in_flight: Mapping[str, int] | None = None,
    preference: Preference = NO_PREFERENCE,
    rng: Random | None = None,
    now: float = 0.0,
    since: FullSince = NOT_FULL,
    down: Sequence[str] = (),
) -> Choice:
    known = {each.name: each for each in deployments}

    def ready(version: Version) -> bool:
        return bool(version.services["S"].replicas)

    view = View(
        known,
        in_flight or {},
        lambda name: name in known and any(map(ready, known[name].shares.members)),
        lambda name: sleeps(known.get(name)),
        lambda upstream: upstream.name not in down,
        ready,
    )
    return choose_way(where, view, preference, now=now, rng=rng or Random(1), since=since)


def label(found: Way | None) -> str:
    return found.name if isinstance(found, Upstream) else str(found)


# By weight


def test_upstreams_have_their_share_beside_deployments() -> None:
    rng, where = Random(2), endpoint(60, 0, upstreams=[replace(UP, weight=40)])
    both = (deployment("d0"), deployment("d1"))
    counts = Counter(label(way(where, *both, rng=rng).way) for _ in range(10_000))
    assert set(counts) == {"d0", "up"}
    assert is_fair(counts["up"], 10_000, 0.4)


def test_an_upstream_that_cannot_take_the_request_leaves_its_share_to_the_others() -> None:
    where = endpoint(1, upstreams=[UP])
    assert {way(where, deployment("d0"), down=["up"]).way for _ in range(50)} == {"d0"}
    assert way(endpoint(upstreams=[UP]), down=["up"]).way is None


# By rule


def test_a_rule_goes_before_weights_and_binds() -> None:
    where = endpoint(1, 0, upstreams=[UP])
    preference = Preference(Rule((), "d1"))
    assert way(where, deployment("d0"), deployment("d1"), preference=preference).way == "d1"
    assert way(where, deployment("d0"), deployment("d1", 0), preference=preference).way is None


# By session


@given(weights, st.text(max_size=8), st.integers(), st.integers())
def test_a_session_has_one_way_whatever_chance_says(
    weights: list[int], key: str, one: int, other: int
) -> None:
    assume(any(weights))
    where = endpoint(*weights, session=Session("x-user"))
    all_of_them = [deployment(f"d{i}") for i in range(len(weights))]
    first, second = (
        way(where, *all_of_them, preference=Preference(session=key), rng=Random(seed)).way
        for seed in (one, other)
    )
    assert first == second
    assert isinstance(first, str)
    assert weights[int(first[1:])]


@given(weights, st.data(), st.lists(st.text(max_size=8), max_size=10))
def test_a_changed_weight_moves_sessions_only_to_or_from_its_way(
    weights: list[int], data: st.DataObject, keys: list[str]
) -> None:
    changed = data.draw(st.integers(0, len(weights) - 1))
    weight = data.draw(st.integers(0, 1000))
    after = [*weights[:changed], weight, *weights[changed + 1 :]]
    assume(any(weights) and any(after))
    all_of_them = [deployment(f"d{i}") for i in range(len(weights))]
    for key in keys:
        preference = Preference(session=key)
        old = way(endpoint(*weights), *all_of_them, preference=preference).way
        new = way(endpoint(*after), *all_of_them, preference=preference).way
        assert old == new or (new if weight > weights[changed] else old) == f"d{changed}"


def test_sessions_are_divided_by_weight_and_a_new_key_of_an_upstream_moves_none() -> None:
    where = endpoint(60, upstreams=[replace(UP, weight=40)])
    other = endpoint(60, upstreams=[replace(UP, weight=40, api_key="new", name="renamed")])
    ways = [way(where, deployment("d0"), preference=Preference(session=key)).way for key in KEYS]
    again = [way(other, deployment("d0"), preference=Preference(session=key)).way for key in KEYS]
    assert is_fair(sum(isinstance(each, Upstream) for each in ways), len(KEYS), 0.4)
    assert [isinstance(each, str) for each in ways] == [isinstance(each, str) for each in again]


def test_the_sessions_of_one_that_is_down_go_to_the_others_and_those_of_one_asleep_wait() -> None:
    where = endpoint(50, 50)
    up, down, asleep = deployment("d1"), deployment("d0", 0), deployment("d0", 0, cold_start=9.0)
    for key in KEYS[:50]:
        preference = Preference(session=key)
        home = way(where, deployment("d0"), up, preference=preference).way
        assert way(where, down, up, preference=preference).way == "d1"
        assert way(where, asleep, up, preference=preference).way == home


# Overflow

OVERFLOW = {"load_balance": LoadBalance.OVERFLOW, "scale_out_delay": 10.0}


def test_a_deployment_is_full_when_each_of_its_replicas_has_its_concurrency() -> None:
    where = endpoint(1, 1, **OVERFLOW)
    two = (deployment("d0", 2, concurrency=2, max_concurrency=9), deployment("d1"))
    assert way(where, *two, in_flight={"d0/0": 2, "d0/1": 1}).way == "d0"
    assert way(where, *two, in_flight={"d0/0": 2, "d0/1": 2}).way == "d1"


def test_without_a_concurrency_the_limit_of_calls_counts_and_without_both_none_is_full() -> None:
    where = endpoint(1, 1, **OVERFLOW)
    limited, open_ended = deployment("d0", max_concurrency=3), deployment("d0")
    assert way(where, limited, deployment("d1"), in_flight={"d0/0": 3}).way == "d1"
    assert way(where, open_ended, deployment("d1"), in_flight={"d0/0": 999}).way == "d0"


def test_replicas_of_versions_without_traffic_are_no_places() -> None:
    main, idle = deployment("d0", concurrency=1), deployment("d0", 5, weight=0, concurrency=1)
    both = Deployment("d0", (*main.versions, replace(idle.versions[0], id="x", name="canary")))
    found = way(endpoint(1, 1, **OVERFLOW), both, deployment("d1"), in_flight={"d0/0": 1})
    assert found.way == "d1"


def test_weight_zero_is_passed_over_and_upstreams_come_last() -> None:
    where = endpoint(0, 1, upstreams=[replace(UP, weight=0, name="never"), UP], **OVERFLOW)
    known = (deployment("d0"), deployment("d1", concurrency=1))
    assert way(where, *known).way == "d1"
    assert way(where, *known, in_flight={"d1/0": 1}).way == UP
    assert way(where, *known, in_flight={"d1/0": 1}, down=["up"]).way == "d1"


def test_one_that_sleeps_is_started_after_the_delay() -> None:
    where = endpoint(1, 1, **OVERFLOW)
    known = (deployment("d0", concurrency=1), deployment("d1", 0, cold_start=60.0))
    full = {"d0/0": 1}
    since = way(where, *known, in_flight=full, now=5.0).since
    assert way(where, *known, in_flight=full, now=14.0, since=since).way == "d0"
    assert way(where, *known, in_flight=full, now=15.0, since=since).way == "d1"


# Capacity

CAPACITY = {"load_balance": LoadBalance.CAPACITY}


def test_requests_are_divided_by_free_places_whatever_the_weights() -> None:
    where, rng = endpoint(1, 99, 0, **CAPACITY), Random(3)
    known = (
        deployment("d0", 2, concurrency=40),
        deployment("d1", 1, concurrency=50),
        deployment("d2", 9, concurrency=50),
    )
    in_flight = {"d0/0": 10, "d0/1": 40, "d1/0": 40}
    counts = Counter(
        label(way(where, *known, in_flight=in_flight, rng=rng).way) for _ in range(10_000)
    )
    assert set(counts) == {"d0", "d1"}
    assert is_fair(counts["d0"], 10_000, 30 / 40)


def test_a_replica_without_a_limit_counts_as_one_with_some_places() -> None:
    where, rng = endpoint(1, 1, **CAPACITY), Random(4)
    known = (deployment("d0"), deployment("d1", concurrency=ASSUMED))
    counts = Counter(label(way(where, *known, rng=rng).way) for _ in range(10_000))
    assert is_fair(counts["d0"], 10_000, 0.5)
    busy = {"d0/0": 10_000, "d1/0": ASSUMED}
    assert {way(where, *known, in_flight=busy, rng=rng).way for _ in range(50)} == {"d0"}


@pytest.mark.parametrize(
    ("sleeps", "upstreams", "taken"), [(True, [UP], "d1"), (False, [UP], "up"), (False, [], "d0")]
)
def test_when_all_are_full_one_that_sleeps_comes_first_then_upstreams_then_a_full_one(
    sleeps: bool, upstreams: list[Upstream], taken: str
) -> None:
    where = endpoint(1, 1, upstreams=upstreams, **CAPACITY)
    other = deployment("d1", 0, cold_start=60.0 if sleeps else 0.0)
    found = way(where, deployment("d0", concurrency=1), other, in_flight={"d0/0": 1})
    assert label(found.way) == taken


# In any mode


@given(
    weights,
    st.sampled_from(LoadBalance),
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
    st.integers(0, 2),
    st.none() | st.text(max_size=4),
    st.randoms(use_true_random=False),
)
def test_weight_zero_never_gets_a_request_and_what_gets_one_can_take_it(
    weights: list[int],
    balance: LoadBalance,
    load: list[int],
    up_weight: int,
    session: str | None,
    rng: Random,
) -> None:
    where = endpoint(*weights, upstreams=[replace(UP, weight=up_weight)], load_balance=balance)
    known = [deployment(f"d{i}", i % 3, concurrency=2) for i in range(len(weights))]
    in_flight = {f"d{i}/0": calls for i, calls in enumerate(load)}
    found = way(
        where, *known, in_flight=in_flight, preference=Preference(session=session), rng=rng
    ).way
    if found is None:
        assert not up_weight
        assert not any(weight for i, weight in enumerate(weights) if i % 3)
    elif isinstance(found, Upstream):
        assert up_weight
    else:
        number = int(found[1:])
        assert weights[number]
        assert number % 3


def test_what_a_rule_leads_to_is_reachable_though_it_has_no_weight() -> None:
    where = endpoint(1, 0, rules=(Rule((), "d9"), Rule((), "d0")))
    assert where.reachable == ("d0", "d1", "d9")
    assert where.shares.members == ("d0",)
