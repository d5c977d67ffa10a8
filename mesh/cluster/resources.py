"""Why a replica has no place: what it needs against what the nodes have. Pure."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from mesh.control.placement import (
    GPU,
    MEMORY,
    ROUNDING,
    Node,
    Resident,
    could_fit,
    fits,
    is_sibling,
    needs,
    settled,
)
from mesh.launch import Launch

GIB = 2**30
NEEDS = "needs "
"""What the line begins with if the nodes that are there can never give what is missing."""
NAMED = 5
"""Nodes that a line names at most."""


@dataclass(frozen=True, slots=True)
class _Want:
    """One resource that a replica reserves. `kind` is the type of the GPU, or empty."""

    name: str
    amount: float
    kind: str = ""

    def __str__(self) -> str:
        text = f"{_number(self.name, self.amount)} {_called(self.name)}"
        return f"{text} of type {self.kind}" if self.kind else text

    def total(self, node: Node) -> float:
        usable = not self.kind or self.kind in node.gpu_types
        return node.total.get(self.name, 0.0) if usable else 0.0

    def is_short_of(self, amount: float) -> bool:
        return amount + ROUNDING < self.amount


def shortage(launch: Launch, nodes: Sequence[Node], residents: Collection[Resident] = ()) -> str:
    """One line that names what is missing, and on which nodes; empty if nothing is.

    `nodes` are those alive; `residents` as of `placement.place`. The line begins with `NEEDS` if no
    node could have the replica were it empty.
    """
    wanted = [
        _Want(name, amount, launch.gpu_type if name == GPU else "")
        for name, amount in needs(launch).items()
    ]
    possible = [node for node in nodes if could_fit(launch, node)]
    if not possible:
        return NEEDS + _impossible(wanted, nodes)
    taken = _with_sibling(launch, residents) if launch.placement == "strict_spread" else set()
    open_to = [node for node in settled(possible, residents) if node.id not in taken]
    if not open_to:
        have = f"{len(possible)} nodes, all have one" if len(possible) > 1 else "1 node, it has one"
        return f"waits for a node without a replica of {launch.service}: {have}"
    if any(fits(launch, node) for node in open_to):
        return ""
    busy = "; ".join(filter(None, (_busy(want, open_to, len(nodes) == 1) for want in wanted)))
    if others := len(possible) - len(open_to):
        have = "1 node has" if others == 1 else f"{others} nodes have"
        busy += f"; {have} a replica of {launch.service}"
    return f"waits for {busy}"


def _with_sibling(launch: Launch, residents: Iterable[Resident]) -> set[str]:
    return {each.node_id for each in residents if is_sibling(launch, each.launch)}


def _impossible(wanted: Sequence[_Want], nodes: Sequence[Node]) -> str:
    lacking = [want for want in wanted if all(want.is_short_of(want.total(n)) for n in nodes)]
    if lacking:
        return "; ".join(_lacking(want, nodes) for want in lacking)
    together = " and ".join(map(str, wanted))
    short = _listed(nodes, lambda node: f"{node.name} lacks {_lacks(wanted, node)}")
    return f"{together} on one node, no node has all of it: {short}"


def _lacking(want: _Want, nodes: Sequence[Node]) -> str:
    if len(nodes) < 2:
        there = next((_there(want, node) for node in nodes), "")
        return f"{want}, the cluster has {there or 0}"
    best_first = sorted(nodes, key=lambda node: (-want.total(node), node.name))
    told = _listed(best_first, lambda node: f"{node.name} has {_there(want, node) or 'none'}")
    return f"{want}: {told}"


def _there(want: _Want, node: Node) -> str:
    """What a node has of a resource of which it has too little; empty if nothing."""
    amount = node.total.get(want.name, 0.0)
    if not amount:
        return ""
    text = _number(want.name, amount)
    if want.kind:
        return f"{text} {' or '.join(sorted(node.gpu_types)) or 'of unknown type'}"
    return text


def _lacks(wanted: Iterable[_Want], node: Node) -> str:
    return ", ".join(_called(want.name) for want in wanted if want.is_short_of(want.total(node)))


def _busy(want: _Want, nodes: Sequence[Node], alone: bool) -> str:
    """Where too little of a resource is free; `alone` leaves out the name of the only node."""

    def told(node: Node) -> str:
        free = _number(want.name, node.free.get(want.name, 0.0))
        text = f"{free} of {_number(want.name, node.total[want.name])} free"
        return text if alone else f"{node.name} {text}"

    short = [node for node in nodes if want.is_short_of(node.free.get(want.name, 0.0))]
    by_name = sorted(short, key=lambda node: node.name)  # Ray tells of nodes in any order
    return f"{want}: {_listed(by_name, told)}" if short else ""


def _listed(nodes: Sequence[Node], told: Callable[[Node], str]) -> str:
    """What is told of the first nodes, and how many more there are."""
    text = ", ".join(map(told, nodes[:NAMED]))
    more = len(nodes) - NAMED
    return f"{text} and {more} more" if more > 0 else text


def _called(name: str) -> str:
    return name.lower() if name in ("CPU", GPU) else name


def _number(name: str, amount: float) -> str:
    return f"{amount / GIB:.3g} GiB" if name == MEMORY else f"{round(amount, 4):g}"
