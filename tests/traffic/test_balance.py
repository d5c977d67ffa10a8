import math
from collections import Counter
from random import Random

import pytest
from hypothesis import given, strategies as st

from mesh.errors import Overloaded, Unavailable
from mesh.traffic.balance import choose_replica
from mesh.traffic.snapshot import Replica

randoms = st.randoms(use_true_random=False)
loads = st.dictionaries(st.sampled_from([f"r{i}" for i in range(8)]), st.integers(0, 5))


def replicas(count: int) -> tuple[Replica, ...]:
    return tuple(Replica(f"r{i}", f"10.0.0.{i}:1") for i in range(count))


def test_the_only_replica_takes_the_call() -> None:
    assert choose_replica(replicas(1), {"r0": 9}, Random(1)).id == "r0"


def test_of_two_replicas_the_less_loaded_takes_the_call() -> None:
    rng = Random(2)
    for load, winner in ({"r0": 3, "r1": 2}, "r1"), ({"r1": 1}, "r0"):
        assert {choose_replica(replicas(2), load, rng).id for _ in range(50)} == {winner}


@pytest.mark.parametrize("count", [2, 3, 7])
def test_replicas_with_equal_load_are_chosen_equally_often(count: int) -> None:
    rng = Random(3)
    chosen = Counter(choose_replica(replicas(count), {}, rng).id for _ in range(10_000))
    spread = 3.3 * math.sqrt(10_000 * (count - 1)) / count  # 99.9% of a binomial distribution
    for replica in replicas(count):
        assert abs(chosen[replica.id] - 10_000 / count) <= spread


@given(st.integers(0, 8), loads, st.sets(st.sampled_from([f"r{i}" for i in range(8)])), randoms)
def test_an_excluded_replica_is_never_chosen(
    count: int, load: dict[str, int], excluded: set[str], rng: Random
) -> None:
    left = {replica.id for replica in replicas(count)} - excluded
    if left:
        assert choose_replica(replicas(count), load, rng, excluded=excluded).id in left
    else:
        with pytest.raises(Unavailable):
            choose_replica(replicas(count), load, rng, excluded=excluded)


@given(st.integers(1, 8), loads, st.sets(st.sampled_from(["r0", "r1"])), randoms)
def test_a_full_replica_is_never_chosen_and_any_room_is_found(
    count: int, load: dict[str, int], excluded: set[str], rng: Random
) -> None:
    left = [r.id for r in replicas(count) if r.id not in excluded]
    roomy = {name for name in left if load.get(name, 0) < 3}
    arguments = {"excluded": excluded, "max_concurrency": 3}
    if roomy:
        assert choose_replica(replicas(count), load, rng, **arguments).id in roomy
    elif left:
        with pytest.raises(Overloaded, match=r"^Too many requests$") as caught:
            choose_replica(replicas(count), load, rng, **arguments)
        assert caught.value.retry_after
    else:
        with pytest.raises(Unavailable):
            choose_replica(replicas(count), load, rng, **arguments)


def test_room_is_shared_by_those_that_have_most_of_it() -> None:
    rng, load = Random(5), {"r0": 4, "r1": 4, "r2": 4, "r3": 4, "r4": 4, "r5": 1, "r6": 1}
    chosen = {choose_replica(replicas(7), load, rng, max_concurrency=4).id for _ in range(500)}
    assert chosen == {"r5", "r6"}


@given(st.integers(2, 8), loads, randoms)
def test_a_replica_with_more_calls_than_every_other_is_never_chosen(
    count: int, load: dict[str, int], rng: Random
) -> None:
    chosen = choose_replica(replicas(count), load, rng).id
    others = [load.get(r.id, 0) for r in replicas(count) if r.id != chosen]
    assert load.get(chosen, 0) <= max(others)


@given(st.integers(2, 100), st.integers())
def test_no_replica_holds_many_more_calls_than_the_mean(count: int, seed: int) -> None:
    rng, held, choices = Random(seed), Counter[str](), replicas(count)
    for _ in range(20 * count):
        held[choose_replica(choices, held, rng).id] += 1
    # Theory: mean + log2(ln(count)) + a constant, whatever the mean. By chance alone the most
    # loaded of 100 would hold about 13 more than the mean.
    assert max(held.values()) <= 20 + 5
