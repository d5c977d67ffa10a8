"""Why a replica has no place."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from mesh.cluster.resources import GIB, NEEDS, shortage
from mesh.control.placement import Node, Resident
from tests.cluster.contract_checks import launch


def node(
    name: str, free: Mapping[str, float] | None = None, kind: str = "", **total: float
) -> Node:
    """A node of which all is free, or `free`. `kind` is the type of its GPUs."""
    return Node(name, name, total, total if free is None else free, frozenset({kind} - {""}))


SMALL = node("small", CPU=2.0, memory=4.0 * GIB)
BIG = node("big", CPU=8.0, GPU=2.0, memory=64.0 * GIB)


@pytest.mark.parametrize(
    ("settings", "nodes", "message"),
    [
        ({}, [SMALL], ""),
        ({"cpu": 2.0}, [SMALL], ""),
        ({"gpu": 1.0}, [SMALL], "needs 1 gpu, the cluster has 0"),
        ({"cpu": 4.0}, [SMALL], "needs 4 cpu, the cluster has 2"),
        ({"cpu": 16.0}, [SMALL, BIG], "needs 16 cpu: big has 8, small has 2"),
        (
            {"memory": 8 * GIB, "gpu": 1.0},
            [SMALL],
            "needs 1 gpu, the cluster has 0; 8 GiB memory, the cluster has 4 GiB",
        ),
        (
            {"cpu": 4.0, "gpu": 1.0},
            [node("a", CPU=8.0), node("b", CPU=1.0, GPU=1.0)],
            "needs 4 cpu and 1 gpu on one node, no node has all of it: a lacks gpu, b lacks cpu",
        ),
        ({"cpu": 1.0}, [], "needs 1 cpu, the cluster has 0"),
        (
            {"custom": {"nvme": 2.0}},
            [node("a", nvme=1.0), node("b")],
            "needs 2 nvme: a has 1, b has none",
        ),
        (
            {"gpu": 1.0, "gpu_type": "A100"},
            [node("a", CPU=4.0), node("b", kind="L4", GPU=1.0), node("c", GPU=2.0)],
            "needs 1 gpu of type A100: a has none, b has 1 L4, c has 2 of unknown type",
        ),
        (
            {"gpu": 2.0},
            [node(f"n{number}", GPU=1.0) for number in range(7)],
            "needs 2 gpu: n0 has 1, n1 has 1, n2 has 1, n3 has 1, n4 has 1 and 2 more",
        ),
    ],
)
def test_what_no_node_can_give_is_named_with_what_there_is(
    settings: dict[str, float], nodes: list[Node], message: str
) -> None:
    assert shortage(launch(**settings), nodes) == message
    assert message.startswith(NEEDS) or not message


@pytest.mark.parametrize(
    ("settings", "nodes", "message"),
    [
        (
            {"gpu": 0.5},
            [replace(BIG, free={"GPU": 0.25})],
            "waits for 0.5 gpu: 0.25 of 2 free",
        ),
        (
            {"cpu": 2.0},
            [
                node("a", {"CPU": 0.5}, CPU=4.0),
                node("b", {"CPU": 0.0}, CPU=2.0),
                node("c", CPU=1.0),
            ],
            "waits for 2 cpu: a 0.5 of 4 free, b 0 of 2 free",
        ),
        (
            {"cpu": 2.0, "gpu": 1.0},
            [
                node("a", {"CPU": 1.0, "GPU": 1.0}, CPU=4.0, GPU=1.0),
                node("b", {"CPU": 4.0, "GPU": 0.5}, CPU=4.0, GPU=1.0),
            ],
            "waits for 2 cpu: a 1 of 4 free; 1 gpu: b 0.5 of 1 free",
        ),
        (
            {"gpu": 1.0, "gpu_type": "L4"},
            [node("a", GPU=1.0), node("b", {"GPU": 0.0}, "L4", GPU=1.0)],
            "waits for 1 gpu of type L4: b 0 of 1 free",
        ),
    ],
)
def test_what_is_taken_is_named_with_the_nodes_that_will_do(
    settings: dict[str, float], nodes: list[Node], message: str
) -> None:
    assert shortage(launch(**settings), nodes) == message


def test_what_was_promised_to_others_counts_as_taken() -> None:
    here = [Resident(launch(cpu=3.0), "big")]
    assert shortage(launch(cpu=6.0), [BIG], here) == "waits for 6 cpu: 5 of 8 free"


def test_a_replica_that_must_be_apart_says_who_is_in_the_way() -> None:
    one = launch(placement="strict_spread", cpu=1.0)
    nodes = [node("a", CPU=4.0), node("b", CPU=4.0), node("c", {"CPU": 0.0}, CPU=4.0)]
    everywhere = [Resident(one, name) for name in "abc"]
    assert shortage(one, nodes, everywhere[:1]) == ""
    assert shortage(one, nodes, everywhere[:2]) == (
        "waits for 1 cpu: c 0 of 4 free; 2 nodes have a replica of A"
    )
    assert shortage(one, nodes, everywhere) == (
        "waits for a node without a replica of A: 3 nodes, all have one"
    )
    assert shortage(one, nodes[:1], everywhere) == (
        "waits for a node without a replica of A: 1 node, it has one"
    )
