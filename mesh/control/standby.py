"""Standbys: processes that hold the resources of an instance type until a replica needs them.

Pure decisions. To them a standby is a launch of no deployment, which is placed as replicas are. It
never has room that a replica needs: to replicas, what standbys hold is free.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mesh.control.placement import (
    Node,
    On,
    Resident,
    could_fit,
    fits,
    freed,
    is_sibling,
    needs,
    place,
    settled,
)
from mesh.launch import Launch, Source

MOST = 1_000
"""Standbys of one instance type."""
EARLY = (
    "BENTOML_",
    "BLIS_",
    "CUDA_",
    "GOMP_",
    "GOTO_",
    "GRPC_",
    "KMP_",
    "LC_",
    "LD_",
    "MALLOC_",
    "MKL_",
    "NPY_",
    "NUMEXPR_",
    "NVIDIA_",
    "OMP_",
    "OPENBLAS_",
    "PYTHON",
    "RAY_",
    "VECLIB_",
)
"""What the names of variables begin with that count when a process starts, or when a library that
every replica has is loaded: in a standby that is over."""
EARLY_NAMES = frozenset({"HOME", "LANG", "LANGUAGE", "PATH", "TMPDIR", "TZ"})
"""Names of others of that kind."""


@dataclass(frozen=True, slots=True)
class Warm:
    """So many standbys of one instance type, and what each of them holds (see Launch)."""

    number: int
    cpu: float = 0.0
    memory: int = 0
    gpu: float = 0.0
    gpu_type: str = ""
    custom: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tended:
    """What to do: end the standbys with these ids, then start these where they are placed."""

    ends: tuple[str, ...] = ()
    starts: tuple[Resident, ...] = ()


def standby(name: str, warm: Warm, identity: str = "") -> Launch:
    """A standby of the instance type `name`; nothing tells those apart that are yet to start."""
    return Launch(
        replica_id=identity,
        deployment="",
        version_id="",
        version="",
        service=name,
        source=Source(),
        cpu=warm.cpu,
        memory=warm.memory,
        gpu=warm.gpu,
        gpu_type=warm.gpu_type,
        custom=warm.custom,
        placement="spread",
    )


def can_become(standby: Launch, launch: Launch) -> bool:
    """Whether the process of a standby can run a replica: it holds just what that reserves.

    Not if the replica sets a variable that would come too late, or that refers to another one.
    """
    return is_equal(standby, launch) and not any(
        name.startswith(EARLY) or name in EARLY_NAMES or "${" in value
        for name, value in launch.envs.items()
    )


def is_equal(one: Launch, other: Launch) -> bool:
    """Whether two reserve the same."""
    return needs(one) == needs(other) and one.gpu_type == other.gpu_type


def way(
    launch: Launch,
    nodes: Sequence[Node],
    residents: Collection[Resident],
    standbys: Collection[Resident],
    node_id: str = "",
) -> tuple[str, tuple[str, ...]] | None:
    """The node on which a replica fits once standbys with these ids have ended: few, or none.

    None if it fits nowhere even then. `nodes` are as of `placement.place`, `residents` without the
    replica itself; `node_id` is the only node that will do, if one was chosen.
    """
    strict = launch.placement == "strict_spread"
    taken = {each.node_id for each in residents if strict and is_sibling(launch, each.launch)}
    found = []
    for node in nodes:
        if node.id in taken or node_id not in ("", node.id) or not could_fit(launch, node):
            continue
        here = [each for each in standbys if each.node_id == node.id]
        ends = _in_the_way(launch, node, [each for each in residents if _on(each, node)], here)
        if ends is not None:
            found.append((len(ends), node.id, tuple(ends)))
    if not found:
        return None
    _, best, ends_there = min(found)
    return best, ends_there


def _on(resident: Resident, node: Node) -> bool:
    return resident.node_id == node.id


def _in_the_way(
    launch: Launch, node: Node, residents: Sequence[Resident], standbys: Sequence[Resident]
) -> list[str] | None:
    """The standbys of a node that have to end; None if that does not help."""
    order = sorted(standbys, key=lambda each: each.launch.replica_id)
    ends = list(order)
    if not _fits_without(launch, node, residents, order, ends):
        return None
    for each in order:  # those that are not in the way stay
        fewer = [other for other in ends if other is not each]
        if _fits_without(launch, node, residents, order, fewer):
            ends = fewer
    return [each.launch.replica_id for each in ends]


def _fits_without(
    launch: Launch,
    node: Node,
    residents: Sequence[Resident],
    standbys: Sequence[Resident],
    ends: Sequence[Resident],
) -> bool:
    stay = [each for each in standbys if each not in ends]
    (seen,) = settled(freed([node], ends), [*residents, *stay])
    return fits(launch, seen)


def tend(
    wanted: Mapping[str, Warm],
    standbys: Collection[Resident],
    nodes: Sequence[Node],
    residents: Collection[Resident] = (),
    coming: Collection[Launch] = (),
    overdue: Collection[Launch] = (),
) -> Tended:
    """What is to be done with the standbys there are, among them those that start.

    Those end that nobody wants, or that do not hold any more what their type is, and those in the
    way of replicas that are `overdue`. While a replica is `coming` for which some node is large
    enough, none starts; else as many as are missing and fit. `nodes` and `residents` are as of
    `placement.place`, and neither `coming` nor `overdue` need be among the latter.
    """
    ends = _needless(wanted, standbys)
    stay = [each for each in standbys if each.launch.replica_id not in ends]
    nodes = freed(nodes, (each for each in standbys if each.launch.replica_id in ends))
    there = list(residents)
    for launch in overdue:
        others = [each for each in there if each.launch.replica_id != launch.replica_id]
        if (found := way(launch, nodes, others, stay)) is not None:
            node_id, gone = found
            ends |= set(gone)
            nodes = freed(nodes, (each for each in stay if each.launch.replica_id in gone))
            stay = [each for each in stay if each.launch.replica_id not in gone]
            there = [*others, Resident(launch, node_id)]
            nodes = _less(nodes, there[-1])
    if any(could_fit(launch, node) for launch in (*coming, *overdue) for node in nodes):
        return Tended(tuple(sorted(ends)))
    return Tended(tuple(sorted(ends)), tuple(_starts(wanted, stay, nodes, there)))


def _needless(wanted: Mapping[str, Warm], standbys: Collection[Resident]) -> set[str]:
    ends = set()
    kept: dict[str, int] = {}
    for each in sorted(standbys, key=lambda each: each.launch.replica_id):
        name = each.launch.service
        warm = wanted.get(name)
        number = kept.get(name, 0)
        if warm and number < warm.number and is_equal(each.launch, standby(name, warm)):
            kept[name] = number + 1
        else:
            ends.add(each.launch.replica_id)
    return ends


def _starts(
    wanted: Mapping[str, Warm],
    standbys: Sequence[Resident],
    nodes: Sequence[Node],
    residents: Sequence[Resident],
) -> list[Resident]:
    starts: list[Resident] = []
    for name in sorted(wanted):
        there = sum(each.launch.service == name for each in standbys)
        one = standby(name, wanted[name])
        for _ in range(wanted[name].number - there):
            choice = place(one, nodes, [*residents, *standbys, *starts])
            if not isinstance(choice, On):
                break
            starts.append(Resident(one, choice.node_id))
            nodes = _less(nodes, starts[-1])
    return starts


def _less(nodes: Sequence[Node], coming: Resident) -> Sequence[Node]:
    """The nodes without what Ray does not know yet to be taken."""
    amounts = needs(coming.launch)
    return [
        replace(
            node,
            free={name: free - amounts.get(name, 0.0) for name, free in node.free.items()},
        )
        if _on(coming, node)
        else node
        for node in nodes
    ]
