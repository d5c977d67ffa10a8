import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from statistics import NormalDist

import pytest
from hypothesis import assume, given, strategies as st

from mesh.errors import NotFound, Unavailable
from mesh.traffic.snapshot import Deployment, Endpoint, SplitBy, Version, WeightedDeployment
from mesh.traffic.split import choose_deployment, choose_version

DRAWS = 20_000
KEYS = [f"user-{number}" for number in range(5_000)]
WEIGHTS = [(80, 20), (100, 0), (1, 99), (50, 30, 20), (1, 1, 1, 1), (0, 7, 0, 3), (1, 10_000)]

weights = st.lists(st.integers(0, 1000), min_size=1, max_size=6)
keys = st.text(max_size=20)


def endpoint(*weights: int) -> Endpoint:
    return Endpoint("e", tuple(WeightedDeployment(f"d{i}", w) for i, w in enumerate(weights)))


def deployment(weights: Sequence[int], by: SplitBy = SplitBy.RANDOM) -> Deployment:
    versions = tuple(Version(f"id{i}", f"v{i}", "S", {}, w) for i, w in enumerate(weights))
    return Deployment("d", versions, by, "" if by is SplitBy.RANDOM else "x-user")


def choose(
    where: Deployment,
    rng: Random,
    *,
    named: str = "",
    key: str | None = None,
    down: Sequence[str] = (),
) -> str:
    def ready(version: Version) -> bool:
        return version.name not in down

    return choose_version(where, named=named, key=key, rng=rng, ready=ready).name


def is_fair(count: int, draws: int, share: float) -> bool:
    """Whether `count` is within the 99.9% bounds of a binomial distribution."""
    spread = math.sqrt(draws * share * (1 - share)) * NormalDist().inv_cdf(0.9995)
    return abs(count - draws * share) <= spread + 0.5


def shares_are_fair(counts: Counter[str], weights: Sequence[int], prefix: str) -> bool:
    draws, total = counts.total(), sum(weights)
    return all(
        is_fair(counts[f"{prefix}{i}"], draws, weight / total) for i, weight in enumerate(weights)
    )


# Deployments of an endpoint


@pytest.mark.parametrize("weights", WEIGHTS)
def test_deployments_get_their_shares_in_the_long_run(weights: Sequence[int]) -> None:
    rng, where = Random(1), endpoint(*weights)
    counts = Counter(choose_deployment(where, lambda _: True, rng) for _ in range(DRAWS))
    assert shares_are_fair(counts, weights, "d")


@given(weights, st.sets(st.integers(0, 5)), st.randoms(use_true_random=False))
def test_a_deployment_is_never_chosen_unless_it_has_weight_and_is_usable(
    weights: list[int], down: set[int], rng: Random
) -> None:
    def usable(name: str) -> bool:
        return int(name[1:]) not in down

    candidates = {f"d{i}" for i, w in enumerate(weights) if w and i not in down}
    if candidates:
        assert choose_deployment(endpoint(*weights), usable, rng) in candidates
    else:
        with pytest.raises(Unavailable, match="'e'"):
            choose_deployment(endpoint(*weights), usable, rng)


def test_the_share_of_a_deployment_that_is_down_is_divided_by_weight() -> None:
    rng, where = Random(2), endpoint(50, 30, 20)
    counts = Counter(choose_deployment(where, lambda n: n != "d0", rng) for _ in range(DRAWS))
    assert shares_are_fair(counts, (0, 30, 20), "d")


# Versions by chance


@pytest.mark.parametrize("weights", WEIGHTS)
def test_versions_get_their_shares_in_the_long_run(weights: Sequence[int]) -> None:
    rng, where = Random(3), deployment(weights)
    counts = Counter(choose(where, rng) for _ in range(DRAWS))
    assert shares_are_fair(counts, weights, "v")


@pytest.mark.parametrize("by", [SplitBy.HEADER, SplitBy.QUERY])
def test_requests_without_the_key_are_divided_by_chance(by: SplitBy) -> None:
    rng, where = Random(4), deployment((80, 20), by)
    counts = Counter(choose(where, rng, key=None) for _ in range(DRAWS))
    assert shares_are_fair(counts, (80, 20), "v")


def test_a_key_means_nothing_to_a_random_split() -> None:
    rng, where = Random(5), deployment((50, 50))
    assert {choose(where, rng, key="one") for _ in range(100)} == {"v0", "v1"}


@given(weights, st.sets(st.integers(0, 5)), st.none() | keys, st.randoms(use_true_random=False))
def test_a_version_is_never_chosen_unless_it_has_weight_and_is_ready(
    weights: list[int], down: set[int], key: str | None, rng: Random
) -> None:
    candidates = {f"v{i}" for i, w in enumerate(weights) if w and i not in down}
    names = [f"v{i}" for i in down]
    for by in SplitBy:
        if candidates:
            assert choose(deployment(weights, by), rng, key=key, down=names) in candidates
        else:
            with pytest.raises(Unavailable, match="'d'"):
                choose(deployment(weights, by), rng, key=key, down=names)


def test_the_share_of_a_version_that_is_down_is_divided_by_weight() -> None:
    rng, where = Random(6), deployment((50, 30, 20))
    counts = Counter(choose(where, rng, down=["v1"]) for _ in range(DRAWS))
    assert shares_are_fair(counts, (50, 0, 20), "v")


@pytest.mark.parametrize("order", [(1, 9, 90), (90, 1, 9)])
def test_the_split_is_within_the_binomial_bounds_after_100_000_requests(
    order: Sequence[int],
) -> None:
    rng, where, over = Random(16), deployment(order), endpoint(*order)
    draws = 100_000
    versions = Counter(choose(where, rng) for _ in range(draws))
    deployments = Counter(choose_deployment(over, lambda _: True, rng) for _ in range(draws))
    assert shares_are_fair(versions, order, "v")
    assert shares_are_fair(deployments, order, "d")


# Versions without a ready replica that don't spill


@given(weights, st.sets(st.integers(0, 5)), st.none() | keys, st.randoms(use_true_random=False))
def test_without_spilling_a_request_goes_to_its_own_version_or_fails(
    weights: list[int], down: set[int], key: str | None, rng: Random
) -> None:
    assume(any(weights))
    where = replace(deployment(weights, SplitBy.HEADER), spills=False)
    state = rng.getstate()
    home = choose(where, rng, key=key)
    rng.setstate(state)
    if int(home[1:]) in down:
        with pytest.raises(Unavailable, match="'d'"):
            choose(where, rng, key=key, down=[f"v{i}" for i in down])
    else:
        assert choose(where, rng, key=key, down=[f"v{i}" for i in down]) == home


# Several releases of one version


def rollout(
    old: int, new: int, canary: int = 20, by: SplitBy = SplitBy.HEADER, *, spills: bool = True
) -> Deployment:
    """`main` changes from one release to another while a canary takes its part."""
    versions = (
        Version("old", "main", "S", {}, 100 - canary, old),
        Version("new", "main", "S", {}, 100 - canary, new),
        Version("can", "canary", "S", {}, canary),
    )
    return Deployment("d", versions, by, "" if by is SplitBy.RANDOM else "x-user", spills)


def release(
    where: Deployment,
    rng: Random,
    *,
    named: str = "",
    key: str | None = None,
    session: str | None = None,
    down: Sequence[str] = (),
) -> str:
    """The id of the version that is chosen."""
    return choose_version(
        where, named=named, key=key, rng=rng, ready=lambda v: v.id not in down, session=session
    ).id


@pytest.mark.parametrize("sticky", [True, False])
@pytest.mark.parametrize(("old", "new"), [(3, 1), (1, 9), (0, 1)])
def test_releases_divide_what_their_name_gets_by_their_shares(
    old: int, new: int, sticky: bool
) -> None:
    rng, where = Random(17), rollout(old, new)
    counts = Counter(release(where, rng, key=key if sticky else None) for key in KEYS)
    assert is_fair(counts["can"], len(KEYS), 0.2)
    assert is_fair(counts["old"], len(KEYS), 0.8 * old / (old + new))
    assert is_fair(counts["new"], len(KEYS), 0.8 * new / (old + new))


@given(keys, st.lists(st.integers(0, 20), min_size=1, max_size=8).map(sorted), st.integers(0, 100))
def test_a_rollout_moves_keys_from_the_old_release_to_the_new_and_each_once(
    key: str, news: list[int], canary: int
) -> None:
    homes = [release(rollout(20 - new, new, canary), Random(), key=key) for new in [0, *news, 20]]
    # Nobody meets the canary in between who did not before, and nobody comes back.
    assert homes == sorted(homes, key=["old", "new", "can"].index)
    assert len({home == "can" for home in homes}) == 1


def test_a_rollout_moves_no_keys_of_other_versions_and_those_of_main_stay_main() -> None:
    rng, before = Random(18), deployment((80, 20), SplitBy.HEADER)
    named = tuple(
        replace(version, name=name)
        for version, name in zip(before.versions, ("main", "canary"), strict=True)
    )
    for key in KEYS[:500]:
        name = choose(replace(before, versions=named), rng, key=key)
        assert (name == "canary") == (release(rollout(5, 5), rng, key=key) == "can")


@pytest.mark.parametrize("spills", [True, False])
def test_a_release_that_is_not_ready_leaves_its_share_to_the_other_of_its_name(
    spills: bool,
) -> None:
    rng, where = Random(19), rollout(5, 5, spills=spills)
    for key in (*KEYS[:200], None):
        home = release(where, rng, key=key, down=["new"])
        assert home in ("old", "can")
    both_down = replace(where, spills=True)
    assert {release(both_down, rng, key=k, down=["old", "new"]) for k in KEYS[:50]} == {"can"}


def test_a_name_that_several_releases_bear_means_any_of_them_and_an_id_just_one() -> None:
    rng, where = Random(20), rollout(3, 1, by=SplitBy.RANDOM)
    counts = Counter(release(where, rng, named="main") for _ in range(DRAWS))
    assert is_fair(counts["old"], DRAWS, 0.75)
    assert counts["can"] == 0
    assert {release(where, rng, named="main", down=["old"]) for _ in range(20)} == {"new"}
    assert {release(where, rng, named="new") for _ in range(20)} == {"new"}
    with pytest.raises(Unavailable, match="'new'"):
        release(where, rng, named="new", down=["new"])
    with pytest.raises(Unavailable, match="'main'"):
        release(where, rng, named="main", down=["old", "new"])


def test_a_release_without_a_share_takes_no_request_but_by_its_id() -> None:
    rng, where = Random(21), rollout(1, 0)
    homes = {release(where, rng, key=key) for key in KEYS[:200]}
    assert homes == {"old", "can"}
    assert {release(where, rng, named="main") for _ in range(20)} == {"old"}
    assert release(where, rng, named="new") == "new"


# Sessions


def test_a_session_keeps_its_version_however_the_deployment_is_split() -> None:
    rng = Random(22)
    for by in SplitBy:
        where = rollout(3, 1, by=by)
        for key in KEYS[:100]:
            homes = {release(where, rng, key=str(n), session=key) for n in range(5)}
            assert homes == {release(rollout(3, 1), rng, key=key)}


# A version by name


@given(weights, st.randoms(use_true_random=False), st.none() | keys)
def test_a_named_version_takes_the_request_whatever_its_weight(
    weights: list[int], rng: Random, key: str | None
) -> None:
    where = deployment(weights, SplitBy.HEADER)
    for version in where.versions:
        assert choose(where, rng, named=version.name, key=key) == version.name
        assert choose(where, rng, named=version.id, key=key) == version.name


def test_a_name_goes_before_an_id() -> None:
    versions = (Version("b", "a", "S", {}, 1), Version("a", "b", "S", {}, 1))
    assert choose(Deployment("d", versions), Random(7), named="a") == "a"


def test_an_unknown_version_is_not_found_by_its_name() -> None:
    with pytest.raises(NotFound, match="'nope'"):
        choose(deployment((100,)), Random(8), named="nope")


def test_a_named_version_without_replicas_is_an_error_and_no_other_takes_its_place() -> None:
    with pytest.raises(Unavailable, match="'v1'"):
        choose(deployment((80, 20)), Random(9), named="v1", down=["v1"])


# Versions by key


@pytest.mark.parametrize("weights", WEIGHTS)
def test_keys_are_divided_by_weight(weights: Sequence[int]) -> None:
    rng, where = Random(10), deployment(weights, SplitBy.HEADER)
    assert shares_are_fair(Counter(choose(where, rng, key=key) for key in KEYS), weights, "v")


@given(weights, keys, st.integers(), st.integers())
def test_a_key_never_moves_while_the_weights_stay(
    weights: list[int], key: str, one: int, other: int
) -> None:
    assume(any(weights))
    before = deployment(weights, SplitBy.HEADER)
    released = replace(
        before, versions=tuple(replace(v, id=f"new-{v.id}") for v in reversed(before.versions))
    )
    assert choose(before, Random(one), key=key) == choose(released, Random(other), key=key)


@given(weights, st.data(), st.lists(keys, max_size=20))
def test_a_changed_weight_moves_keys_only_to_or_from_its_version(
    weights: list[int], data: st.DataObject, keys: list[str]
) -> None:
    changed = data.draw(st.integers(0, len(weights) - 1))
    weight = data.draw(st.integers(0, 1000))
    after_weights = [*weights[:changed], weight, *weights[changed + 1 :]]
    assume(any(weights) and any(after_weights))
    before, after = (deployment(w, SplitBy.QUERY) for w in (weights, after_weights))
    for key in keys:
        old, new = choose(before, Random(), key=key), choose(after, Random(), key=key)
        if old != new:
            assert (new if weight > weights[changed] else old) == f"v{changed}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((80, 20), (80, 40)),
        ((80, 20), (80, 0)),
        ((90, 10), (45, 10)),
        ((60, 30, 10), (60, 30, 60)),
        ((50, 25, 25), (50, 0, 25)),
    ],
)
def test_the_share_of_keys_that_move_is_the_change_of_the_share(
    before: Sequence[int], after: Sequence[int]
) -> None:
    rng = Random(11)
    old, new = (deployment(weights, SplitBy.HEADER) for weights in (before, after))
    moved = sum(choose(old, rng, key=key) != choose(new, rng, key=key) for key in KEYS)
    (changed,) = (i for i in range(len(before)) if before[i] != after[i])
    share = abs(after[changed] / sum(after) - before[changed] / sum(before))
    assert is_fair(moved, len(KEYS), share)


@pytest.mark.parametrize("target", [(70, 30), (95, 5), (50, 50), (0, 100)])
def test_a_canary_that_grows_by_some_percent_moves_that_many_keys(target: Sequence[int]) -> None:
    rng = Random(12)
    old, new = deployment((80, 20), SplitBy.HEADER), deployment(target, SplitBy.HEADER)
    moves = Counter((choose(old, rng, key=key), choose(new, rng, key=key)) for key in KEYS)
    grown = "v1" if target[1] > 20 else "v0"
    moved = {move: count for move, count in moves.items() if move[0] != move[1]}
    assert all(destination == grown for _, destination in moved)
    assert is_fair(sum(moved.values()), len(KEYS), abs(target[1] - 20) / 100)


@given(weights, keys, st.sets(st.integers(0, 5)))
def test_a_key_leaves_a_version_that_is_down_and_comes_back(
    weights: list[int], key: str, down: set[int]
) -> None:
    names = [f"v{i}" for i in down]
    assume(any(w for i, w in enumerate(weights) if i not in down))
    where = deployment(weights, SplitBy.HEADER)
    home, refuge = choose(where, Random(), key=key), choose(where, Random(), key=key, down=names)
    assert (refuge == home) == (home not in names)
    assert refuge == choose(where, Random(), key=key, down=names)


def test_keys_spill_in_proportion_to_the_weights_of_the_others() -> None:
    rng, where = Random(13), deployment((50, 30, 20), SplitBy.HEADER)
    counts = Counter(choose(where, rng, key=key, down=["v0"]) for key in KEYS)
    assert shares_are_fair(counts, (0, 30, 20), "v")


def test_the_callers_who_meet_one_deployments_canary_are_not_those_who_meet_anothers() -> None:
    rng, one = Random(14), deployment((80, 20), SplitBy.HEADER)
    other = replace(one, name="another")
    both = sum(choose(one, rng, key=k) == choose(other, rng, key=k) == "v1" for k in KEYS)
    assert is_fair(both, len(KEYS), 0.2 * 0.2)


def test_keys_stay_where_they_are_from_one_release_of_the_mesh_to_the_next() -> None:
    rng, where = Random(15), deployment((50, 30, 20), SplitBy.HEADER)
    keys = ("", "1", "2", "alice", "bob", "ä", "\udcff", "a" * 999)
    homes = [choose(where, rng, key=key) for key in keys]
    assert homes == ["v0", "v2", "v2", "v1", "v2", "v0", "v0", "v1"]
