"""How many standbys there are, and which of them make way."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from mesh.control.placement import Node, Resident, could_fit, fits, freed, needs, settled
from mesh.control.standby import Tended, Warm, can_become, standby, tend, way
from mesh.launch import Launch, Source

ONE, TWO = Warm(1, cpu=1.0), Warm(1, cpu=2.0)


def launch(identity: str = "r", **settings: object) -> Launch:
    return Launch(
        replica_id=identity,
        deployment="d",
        version_id="d-1",
        version="main",
        service="A",
        source=Source("m:A"),
        **settings,  # type: ignore[arg-type]  # given by name
    )


def node(name: str, cpu: float = 4.0, free: float | None = None) -> Node:
    return Node(name, name, {"CPU": cpu}, {"CPU": cpu if free is None else free})


def held(identity: str, on: str = "a", warm: Warm = ONE, name: str = "cpu.1") -> Resident:
    return Resident(standby(name, warm, identity), on)


def started(tended: Tended) -> list[tuple[str, str]]:
    return [(each.launch.service, each.node_id) for each in tended.starts]


def test_as_many_start_as_are_wanted_spread_over_nodes() -> None:
    wanted = {"cpu.1": replace(ONE, number=3)}
    tended = tend(wanted, [], [node("a"), node("b")])
    assert tended.ends == ()
    assert sorted(started(tended)) == [("cpu.1", "a"), ("cpu.1", "a"), ("cpu.1", "b")]


def test_no_more_start_than_fit() -> None:
    wanted = {"cpu.1": replace(ONE, number=9), "cpu.2": TWO}
    assert len(tend(wanted, [], [node("a", free=2.5)]).starts) == 2
    here = [Resident(launch(cpu=3.0), "a")]
    assert len(tend(wanted, [], [node("a")], here).starts) == 1


def test_those_end_that_nobody_wants_or_that_hold_something_else() -> None:
    there = [held("s1"), held("s2"), held("s3", warm=TWO), held("s4", name="gone")]
    tended = tend({"cpu.1": ONE}, there, [node("a", free=0.0)])
    assert tended == Tended(("s2", "s3", "s4"))


def test_one_that_ends_makes_room_for_what_its_type_is_now() -> None:
    tended = tend({"cpu.1": TWO}, [held("s1")], [node("a", cpu=2.0, free=1.0)])
    assert (tended.ends, started(tended)) == (("s1",), [("cpu.1", "a")])


def test_none_starts_while_a_replica_comes_that_some_node_could_hold() -> None:
    nodes = [node("a")]
    assert tend({"cpu.1": ONE}, [], nodes, coming=[launch(cpu=4.0)]) == Tended()
    impossible = [launch(cpu=5.0)]
    assert len(tend({"cpu.1": ONE}, [], nodes, coming=impossible).starts) == 1


def test_replicas_that_are_overdue_each_get_room() -> None:
    there = [held("s1"), held("s2"), held("s3", on="b"), held("s4", on="b")]
    nodes = [node("a", cpu=2.0, free=0.0), node("b", cpu=2.0, free=0.0)]
    overdue = [launch("r1", cpu=2.0), launch("r2", cpu=1.0)]
    wanted = {"cpu.1": replace(ONE, number=4)}
    assert tend(wanted, there, nodes, overdue=overdue) == Tended(("s1", "s2", "s4"))


WAYS: Mapping[str, tuple[Launch, str, tuple[str, tuple[str, ...]] | None]] = {
    "what fits takes nothing": (launch(cpu=1.0), "", ("b", ())),
    "as few as will do": (launch(cpu=2.0), "", ("b", ("s3",))),
    "on the node that was chosen": (launch(cpu=2.0), "a", ("a", ("s1", "s2"))),
    "only those in the way": (launch(cpu=1.0), "a", ("a", ("s2",))),
    "nothing where it does not help": (launch(cpu=3.0), "", None),
    "nor on a node that is too small": (launch(cpu=3.0), "a", None),
}


@pytest.mark.parametrize("case", WAYS.values(), ids=WAYS.keys())
def test_standbys_make_way(
    case: tuple[Launch, str, tuple[str, tuple[str, ...]] | None],
) -> None:
    wanted, on, expected = case
    there = [held("s1"), held("s2"), held("s3", on="b")]
    nodes = [node("a", cpu=2.0, free=0.0), node("b", cpu=2.0, free=1.0)]
    assert way(wanted, nodes, [], there, on) == expected


def test_a_node_with_a_sibling_is_no_way_where_they_are_kept_apart() -> None:
    one = launch(cpu=1.0, placement="strict_spread")
    here = [Resident(launch("other"), "a")]
    nodes = [node("a"), node("b", cpu=1.0, free=0.0)]
    assert way(one, nodes, here, [held("s1", on="b")]) == ("b", ("s1",))


FITTING: Mapping[str, tuple[Launch, bool]] = {
    "the same": (launch(cpu=1.0, envs={"MODE": "x"}), True),
    "less": (launch(cpu=0.5), False),
    "more": (launch(cpu=1.0, memory=1), False),
    "a type of GPU": (launch(cpu=1.0, gpu_type="T4"), False),
    "what libraries read as they are loaded": (
        launch(cpu=1.0, envs={"OMP_NUM_THREADS": "1"}),
        False,
    ),
    "what Python reads as it starts": (launch(cpu=1.0, envs={"PYTHONHASHSEED": "1"}), False),
    "what Ray fills in": (launch(cpu=1.0, envs={"A": "${B}"}), False),
}


@pytest.mark.parametrize("case", FITTING.values(), ids=FITTING.keys())
def test_a_standby_becomes_what_reserves_the_same(case: tuple[Launch, bool]) -> None:
    one, expected = case
    assert can_become(standby("cpu.1", ONE), one) is expected


amounts = st.sampled_from([0.5, 1.0, 2.0, 3.0])


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, object]:
    """Nodes that hold what is there, what Ray says is free, and what is wanted."""
    nodes = [node(name, cpu=draw(st.integers(1, 6))) for name in ("a", "b", "c")]
    types = {name: Warm(draw(st.integers(0, 3)), cpu=draw(amounts)) for name in ("x", "y")}
    residents: list[Resident] = []
    standbys: list[Resident] = []
    for number in range(draw(st.integers(0, 8))):
        if draw(st.booleans()):
            name = draw(st.sampled_from(["x", "y", "z"]))
            warm = types.get(name, ONE) if draw(st.booleans()) else Warm(1, cpu=draw(amounts))
            one, to = standby(name, warm, f"s{number}"), standbys
        else:
            one, to = launch(f"r{number}", cpu=draw(amounts)), residents
        there = draw(st.sampled_from(nodes))
        (seen,) = settled([there], [*residents, *standbys])
        if fits(one, seen):
            to.append(Resident(one, there.id))
    seen_nodes = settled(nodes, [*residents, *standbys])
    waiting = [launch(f"w{each}", cpu=draw(amounts)) for each in range(draw(st.integers(0, 3)))]
    return {
        "wanted": types,
        "standbys": standbys,
        "nodes": seen_nodes,
        "residents": residents,
        "overdue": waiting,
    }


def after(world: dict[str, object], tended: Tended) -> tuple[list[Node], list[Resident]]:
    """The nodes, what is started not counted, and the standbys once it is done."""
    standbys: list[Resident] = world["standbys"]  # type: ignore[assignment]  # as made
    ended = [each for each in standbys if each.launch.replica_id in tended.ends]
    stay = [each for each in standbys if each.launch.replica_id not in tended.ends]
    new = [
        Resident(replace(each.launch, replica_id=f"n{number}"), each.node_id)
        for number, each in enumerate(tended.starts)
    ]
    return freed(world["nodes"], ended), [*stay, *new]  # type: ignore[arg-type]  # as made


@given(worlds())
def test_no_more_are_there_than_are_wanted_and_nothing_is_promised_twice(
    world: dict[str, object],
) -> None:
    tended = tend(**world)  # type: ignore[arg-type]  # as made
    nodes, standbys = after(world, tended)
    counts = Counter(each.launch.service for each in standbys)
    wanted: dict[str, Warm] = world["wanted"]  # type: ignore[assignment]  # as made
    assert all(counts[name] <= (wanted[name].number if name in wanted else 0) for name in counts)
    for each in nodes:
        new = [
            one for one in standbys if one.node_id == each.id and one.launch.replica_id[0] == "n"
        ]
        used = sum(needs(one.launch)["CPU"] for one in new)
        assert used <= each.free["CPU"] + 1e-6


@given(worlds())
def test_once_done_nothing_is_left_to_do(world: dict[str, object]) -> None:
    tended = tend(**world)  # type: ignore[arg-type]  # as made
    nodes, standbys = after(world, tended)
    again = tend(**{**world, "nodes": nodes, "standbys": standbys, "overdue": ()})  # type: ignore[arg-type]  # as made
    assert again.ends == ()
    if not world["overdue"]:
        assert again == Tended()


@given(worlds())
def test_standbys_never_have_room_that_an_overdue_replica_needs(world: dict[str, object]) -> None:
    tended = tend(**world)  # type: ignore[arg-type]  # as made
    nodes, standbys = after(world, tended)
    residents: list[Resident] = world["residents"]  # type: ignore[assignment]  # as made
    waiting: list[Launch] = world["overdue"]  # type: ignore[assignment]  # as made
    if any(could_fit(one, each) for one in waiting for each in nodes):
        assert not tended.starts
    # What would fit were there no standbys fits now: the first at least, whom nobody goes before.
    bare = settled(freed(nodes, standbys), residents)
    for one in waiting[:1]:
        if any(fits(one, each) for each in bare):
            assert any(fits(one, each) for each in settled(nodes, [*residents, *standbys]))
