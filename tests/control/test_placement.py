"""On which node a replica shall run."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from mesh.control.placement import (
    Anywhere,
    Choice,
    Node,
    On,
    Resident,
    Wait,
    fits,
    freed,
    has_arrived,
    is_sibling,
    needs,
    place,
    settled,
)
from mesh.launch import Launch, Source

GIB = 2**30


def launch(service: str = "A", version_id: str = "d-1", **settings: object) -> Launch:
    return Launch(
        replica_id="r",
        deployment="d",
        version_id=version_id,
        version="main",
        service=service,
        source=Source("m:A"),
        **settings,  # type: ignore[arg-type]  # given by name
    )


def node(name: str, cpu: float = 4.0, gpu: float = 0.0, free: float | None = None) -> Node:
    """A node with `cpu` cores of which `free` are free, and `gpu` devices of the type L4."""
    total = {"CPU": cpu, "GPU": gpu}
    left = {"CPU": cpu if free is None else free, "GPU": gpu}
    return Node(name, name, total, left, frozenset({"L4"}))


def test_without_a_placement_ray_decides() -> None:
    assert place(launch(cpu=1.0), [node("a")], []) == Anywhere()


def test_pack_goes_where_most_of_the_graph_is() -> None:
    nodes = [node("a"), node("b"), node("c", free=1.0)]
    one = launch("B", placement="pack", cpu=1.0)
    here = [
        Resident(launch("A"), "a"),
        Resident(launch("A"), "b"),
        Resident(launch("C"), "b"),
        Resident(launch("A", "other"), "a"),
    ]
    assert place(one, nodes, here) == On("b")


def test_pack_begins_on_the_fullest_node_that_still_fits() -> None:
    nodes = [node("a"), node("b", free=2.0), node("c", free=0.5)]
    assert place(launch(placement="pack", cpu=1.0), nodes, []) == On("b")


def test_pack_goes_on_elsewhere_when_the_graphs_node_is_full() -> None:
    nodes = [node("a", cpu=2.0), node("b")]
    here = [Resident(launch(cpu=1.0), "a"), Resident(launch(cpu=1.0), "a")]
    assert place(launch(placement="pack", cpu=1.0), nodes, here) == On("b")


def test_spread_goes_where_its_service_is_least_then_its_graph() -> None:
    nodes = [node("a"), node("b"), node("c")]
    one = launch("A", placement="spread")
    here = [Resident(launch("A"), "a"), Resident(launch("B"), "b")]
    assert place(one, nodes, here) == On("c")
    assert place(one, nodes[:2], here) == On("b")
    assert place(one, nodes[:1], here) == On("a")


def test_replicas_that_fit_nowhere_now_are_left_to_ray_unless_they_must_be_apart() -> None:
    for placement in ("pack", "spread"):
        one = launch(placement=placement, cpu=1.0)
        assert place(one, [node("a", free=0.0)], []) == Anywhere()
    strict = launch(placement="strict_spread", cpu=1.0)
    assert place(strict, [node("a", free=0.0)], []) == Wait()


def test_strict_spread_waits_for_a_node_without_a_sibling() -> None:
    one = launch(placement="strict_spread")
    here = [Resident(one, "a")]
    assert place(one, [node("a"), node("b")], here) == On("b")
    assert place(one, [node("a")], here) == Wait()


def test_an_old_release_does_not_keep_a_new_one_from_its_node() -> None:
    new = launch(placement="strict_spread", version_id="d-2")
    old = launch(placement="strict_spread", version_id="d-1")
    assert not is_sibling(old, new)
    assert place(new, [node("a")], [Resident(old, "a")]) == On("a")


def test_a_gpu_of_a_type_is_had_only_where_that_type_is() -> None:
    other = replace(node("a", gpu=2.0), gpu_types=frozenset({"T4"}))
    one = launch(placement="pack", gpu=0.5, gpu_type="L4")
    assert place(one, [other], []) == Anywhere()
    assert place(one, [other, node("b", gpu=1.0)], []) == On("b")


def test_nodes_with_gpus_are_left_to_those_who_need_them() -> None:
    nodes = [node("a", gpu=1.0), node("b")]
    assert place(launch(placement="pack", cpu=1.0), nodes, []) == On("b")
    assert place(launch(placement="pack", cpu=1.0), nodes[:1], []) == On("a")


def test_custom_resources_count() -> None:
    one = launch(placement="spread", custom={"disk": 1.0})
    disk = replace(node("b"), total={"disk": 1.0}, free={"disk": 1.0})
    assert place(one, [node("a"), disk], []) == On("b")


def test_a_node_that_refused_comes_last() -> None:
    nodes = [node("a"), node("b")]
    one = launch(placement="strict_spread", cpu=1.0)
    assert place(one, nodes, [], refused={"a": 2, "b": 1}) == On("b")
    assert place(one, nodes[:1], [], refused={"a": 1}) == On("a")


def test_what_was_promised_is_taken_although_ray_does_not_know_yet() -> None:
    (after,) = settled([node("a", cpu=4.0)], [Resident(launch(cpu=1.0), "a")])
    assert after.free["CPU"] == 3.0


def test_what_has_just_ended_has_made_room() -> None:
    nodes = [node("a", cpu=4.0, free=1.0), node("b", cpu=4.0, free=3.5)]
    gone = [Resident(launch(cpu=1.0), "a"), Resident(launch(cpu=1.0), "b")]
    assert [each.free["CPU"] for each in freed(nodes, gone)] == [2.0, 4.0]


def test_what_others_have_taken_is_not_counted_twice() -> None:
    known = [Resident(launch(cpu=1.0), "a")]
    (after,) = settled([node("a", cpu=4.0, free=2.0)], known)  # one is ours, one somebody else's
    assert after.free["CPU"] == 2.0


def test_a_replica_has_arrived_when_what_is_free_is_what_ours_leave() -> None:
    one = launch(cpu=1.0)
    ours = [Resident(one, "a"), Resident(launch(cpu=0.7), "a"), Resident(launch(cpu=2.0), "b")]
    assert has_arrived(one, node("a", cpu=4.0, free=2.3), ours)
    assert not has_arrived(one, node("a", cpu=4.0, free=3.3), ours)
    assert not has_arrived(one, node("a", cpu=4.0, free=0.0), ours)
    assert has_arrived(launch(), node("a", cpu=4.0, free=0.0), ours)


launches = st.builds(
    launch,
    service=st.sampled_from("AB"),
    version_id=st.sampled_from(["d-1", "d-2"]),
    placement=st.sampled_from(["", "pack", "spread", "strict_spread"]),
    cpu=st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0]),
    gpu=st.sampled_from([0.0, 0.0, 0.25, 1.0]),
    memory=st.sampled_from([0, GIB]),
)
clusters = st.lists(
    st.builds(
        lambda cpu, gpu, share, typed: Node(
            "",
            "",
            {"CPU": cpu, "GPU": gpu, "memory": 2.0 * GIB},
            {"CPU": cpu * share, "GPU": gpu, "memory": 2.0 * GIB},
            frozenset({"L4"} if typed else ()),
        ),
        st.sampled_from([1.0, 2.0, 8.0]),
        st.sampled_from([0.0, 1.0, 2.0]),
        st.sampled_from([0.0, 0.5, 1.0]),
        st.booleans(),
    ),
    max_size=5,
).map(lambda nodes: [replace(node, id=str(n), name=str(n)) for n, node in enumerate(nodes)])


def fill(asked: list[Launch], nodes: list[Node]) -> list[tuple[Launch, Choice, list[Resident]]]:
    """Places one after the other; each with its choice and what was there before it."""
    residents: list[Resident] = []
    told = []
    for one in asked:
        choice = place(one, nodes, residents)
        told.append((one, choice, list(residents)))
        if isinstance(choice, On):
            residents.append(Resident(one, choice.node_id))
    return told


@given(st.lists(launches, max_size=12), clusters)
def test_no_node_gets_more_than_it_has(asked: list[Launch], nodes: list[Node]) -> None:
    told = fill(asked, nodes)
    for one, choice, before in told:
        if isinstance(choice, On):
            (chosen,) = [each for each in settled(nodes, before) if each.id == choice.node_id]
            assert fits(one, chosen)
    for each in nodes:
        here = [one for one, choice, _ in told if choice == On(each.id)]
        for name, amount in each.total.items():
            assert sum(needs(one).get(name, 0.0) for one in here) <= amount + 1e-5


@given(st.lists(launches, max_size=12), clusters)
def test_strict_spread_never_puts_two_of_a_service_on_one_node(
    asked: list[Launch], nodes: list[Node]
) -> None:
    for one, choice, before in fill(asked, nodes):
        if one.placement == "strict_spread" and isinstance(choice, On):
            there = [each.launch for each in before if each.node_id == choice.node_id]
            assert not any(is_sibling(one, each) for each in there)


@given(st.lists(launches, max_size=12), clusters)
def test_only_strict_spread_waits_and_only_for_want_of_a_node(
    asked: list[Launch], nodes: list[Node]
) -> None:
    for one, choice, before in fill(asked, nodes):
        room = [each for each in settled(nodes, before) if fits(one, each)]
        if isinstance(choice, Wait):
            assert one.placement == "strict_spread"
            for each in room:
                assert any(is_sibling(one, r.launch) for r in before if r.node_id == each.id)
        elif isinstance(choice, Anywhere) and one.placement:
            assert not room


@given(st.lists(launches, min_size=1, max_size=12), st.integers(1, 5))
def test_a_packed_graph_lies_on_no_more_nodes_than_a_spread_one(
    asked: list[Launch], count: int
) -> None:
    nodes = [node(str(n), cpu=8.0, gpu=2.0) for n in range(count)]
    graph = [replace(one, version_id="d-1", memory=0) for one in asked]

    def used(placement: str) -> int:
        told = fill([replace(one, placement=placement) for one in graph], nodes)
        return len({choice.node_id for _, choice, _ in told if isinstance(choice, On)})

    assert used("pack") <= used("spread") == min(len(graph), count)


@pytest.mark.parametrize("placement", ["pack", "spread", "strict_spread"])
@given(clusters, st.randoms())
def test_the_order_in_which_nodes_are_told_does_not_matter(
    placement: str, nodes: list[Node], rng: random.Random
) -> None:
    one = launch(placement=placement, cpu=0.5)
    before = place(one, nodes, [])
    rng.shuffle(nodes)
    assert place(one, nodes, []) == before
