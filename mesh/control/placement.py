"""On which node a replica shall run: a pure decision about nodes and what runs on them.

The mesh decides this itself, one replica at a time. Ray's placement groups are all or nothing and
have their size from the start, while replicas come one by one and a deployment that does not fit
serves on what it has.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, get_args

from mesh.launch import Launch

Placement = Literal["", "pack", "spread", "strict_spread"]
"""How the replicas of a graph lie on nodes; empty: as Ray does it by itself."""
PLACEMENTS: frozenset[str] = frozenset(get_args(Placement))

CPU, GPU, MEMORY = "CPU", "GPU", "memory"
"""Ray's names of resources: cores, devices, bytes."""
ROUNDING = 1e-6
"""What sums of amounts may be off by. Ray counts in steps of 0.0001."""
COARSE = 1e-3
"""What amounts may be off by that are compared to see who is there."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node that is alive: what it offers in all, and what of it is free, under Ray's names.

    `name` is for people. `gpu_types` are the types of its GPUs, as far as it says so.
    """

    id: str
    name: str
    total: Mapping[str, float]
    free: Mapping[str, float]
    gpu_types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Resident:
    """A replica that has a node, or for which one has been chosen."""

    launch: Launch
    node_id: str


@dataclass(frozen=True, slots=True)
class On:
    """The replica goes to one node; another is chosen should that one be gone."""

    node_id: str


@dataclass(frozen=True, slots=True)
class Anywhere:
    """Ray places the replica, at once or when there is room."""


@dataclass(frozen=True, slots=True)
class Wait:
    """No node may have the replica now; decide again when something has changed."""


Choice = On | Anywhere | Wait


@dataclass(slots=True)
class _Held:
    """What one node has of the mesh: amounts reserved, replicas of each graph and service."""

    reserved: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    graphs: Counter[tuple[str, str]] = field(default_factory=Counter)
    services: Counter[tuple[str, str, str]] = field(default_factory=Counter)


def needs(launch: Launch) -> dict[str, float]:
    """What a replica reserves, under Ray's names, without what it does not need."""
    wanted = {CPU: launch.cpu, GPU: launch.gpu, MEMORY: float(launch.memory), **launch.custom}
    return {name: amount for name, amount in wanted.items() if amount}


def could_fit(launch: Launch, node: Node) -> bool:
    """Whether the replica fits on the node if nothing else is there."""
    return _is_of_type(launch, node) and has(node.total, needs(launch))


def fits(launch: Launch, node: Node) -> bool:
    """Whether the replica fits into what is free on the node."""
    return could_fit(launch, node) and has(node.free, needs(launch))


def has(there: Mapping[str, float], wanted: Mapping[str, float]) -> bool:
    """Whether of each resource there is as much as wanted."""
    return all(there.get(name, 0.0) + ROUNDING >= amount for name, amount in wanted.items())


def is_sibling(one: Launch, other: Launch) -> bool:
    """Whether two replicas are of one service of one release: what `strict_spread` keeps apart.

    A release and its successor count separately. Otherwise a rollout that starts a new replica
    before an old one stops could not begin where every node has an old one.
    """
    return _service(one) == _service(other)


def freed(nodes: Iterable[Node], gone: Iterable[Resident]) -> list[Node]:
    """The nodes, with what replicas had there that have just ended already counted as free."""
    held = _by_node(gone)
    return [
        replace(
            node,
            free={
                name: min(amount, node.free.get(name, 0.0) + held[node.id].reserved[name])
                for name, amount in node.total.items()
            },
        )
        for node in nodes
    ]


def settled(nodes: Iterable[Node], residents: Iterable[Resident]) -> list[Node]:
    """The nodes, with what is chosen for them already counted as taken.

    What Ray says is free lags behind: it does not know of replicas that are about to come. What
    the mesh's own replicas leave free does not know of other programs. The smaller of the two
    holds; a replica that has its place is in both and counts once.
    """
    return _settled(nodes, _by_node(residents))


def _settled(nodes: Iterable[Node], held: Mapping[str, _Held]) -> list[Node]:
    return [
        replace(
            node,
            free={
                name: min(node.free.get(name, 0.0), max(0.0, amount - held[node.id].reserved[name]))
                for name, amount in node.total.items()
            },
        )
        for node in nodes
    ]


def has_arrived(launch: Launch, node: Node, residents: Iterable[Resident]) -> bool:
    """Whether a replica that was promised a node seems to have its resources there.

    So it is if what is free on the node is just what all of the mesh's replicas leave, this one
    among `residents`. More is free if one of them has not come, less if there are others.
    """
    reserved = _by_node(residents)[node.id].reserved
    return all(
        math.isclose(
            node.free.get(name, 0.0), node.total.get(name, 0.0) - reserved[name], abs_tol=COARSE
        )
        for name in needs(launch)
    )


def place(
    launch: Launch,
    nodes: Sequence[Node],
    residents: Collection[Resident],
    refused: Mapping[str, int] = MappingProxyType({}),
) -> Choice:
    """Where a replica goes.

    `pack`: to the node that has most of its graph and on which it fits, else the fullest. `spread`:
    to the node with the fewest replicas of its service, then of its graph, then the emptiest. Both
    leave it to Ray if it fits nowhere now. `strict_spread`: as `spread`, but never to a node with
    a sibling (see `is_sibling`); it waits if there is no other. Where there is a choice, a replica
    without a GPU leaves nodes with GPUs to those that need them. Ties go by the id of the node.

    `nodes` are those alive, as Ray sees them; `residents` the mesh's replicas that have a node or
    were promised one, without this one. `refused` says how often a node did not take the replica
    although it seemed to fit (a whole GPU does not fit into two halves): such nodes come last.
    """
    order = _ORDERS.get(launch.placement)
    if order is None:
        return Anywhere()
    held = _by_node(residents)
    strict = launch.placement == "strict_spread"
    candidates = [
        node
        for node in _settled(nodes, held)
        if fits(launch, node) and not (strict and held[node.id].services[_service(launch)])
    ]
    if not candidates:
        return Wait() if strict else Anywhere()
    best = min(
        candidates,
        key=lambda node: (refused.get(node.id, 0), *order(launch, node, held[node.id]), node.id),
    )
    return On(best.id)


def _is_of_type(launch: Launch, node: Node) -> bool:
    return not launch.gpu_type or launch.gpu_type in node.gpu_types


def _graph(launch: Launch) -> tuple[str, str]:
    return launch.deployment, launch.version_id


def _service(launch: Launch) -> tuple[str, str, str]:
    return launch.deployment, launch.version_id, launch.service


def _by_node(residents: Iterable[Resident]) -> Mapping[str, _Held]:
    """What each node has; any node may be asked for."""
    held: defaultdict[str, _Held] = defaultdict(_Held)
    for resident in residents:
        here = held[resident.node_id]
        here.graphs[_graph(resident.launch)] += 1
        here.services[_service(resident.launch)] += 1
        for name, amount in needs(resident.launch).items():
            here.reserved[name] += amount
    return held


Order = Callable[[Launch, Node, _Held], tuple[float, ...]]
"""What makes a node the better choice: the smallest."""


def _packed(launch: Launch, node: Node, held: _Held) -> tuple[float, ...]:
    return -held.graphs[_graph(launch)], _wasted(launch, node), -_fullness(node)


def _spread(launch: Launch, node: Node, held: _Held) -> tuple[float, ...]:
    services, graphs = held.services[_service(launch)], held.graphs[_graph(launch)]
    return services, graphs, _wasted(launch, node), _fullness(node)


_ORDERS: Mapping[str, Order] = {"pack": _packed, "spread": _spread, "strict_spread": _spread}


def _wasted(launch: Launch, node: Node) -> bool:
    """Whether the node has GPUs that the replica does not need."""
    return not launch.gpu and node.total.get(GPU, 0.0) > 0


def _fullness(node: Node) -> float:
    """The share of the node's scarcest resource that is taken, from 0 to 1."""
    return max(
        (
            1 - node.free.get(name, 0.0) / amount
            for name, amount in node.total.items()
            if name in (CPU, GPU, MEMORY) and amount
        ),
        default=0.0,
    )
