"""Why a replica has no place: what it needs against what the nodes have. Pure."""

from collections.abc import Mapping, Sequence

from mesh.launch import Launch

GIB = 2**30
NEEDS = "needs "
"""What the line begins with if the nodes that are there can never give what is missing."""


def needs(launch: Launch) -> dict[str, float]:
    """What a replica reserves, under Ray's names, without what it does not need."""
    wanted = {"CPU": launch.cpu, "GPU": launch.gpu, "memory": float(launch.memory)}
    return {name: amount for name, amount in wanted.items() if amount}


def shortage(
    launch: Launch, nodes: Sequence[Mapping[str, float]], free: Mapping[str, float]
) -> str:
    """One line that names what is missing; empty if nothing is.

    `nodes` has what each node that is alive offers in all, `free` what is left of the whole
    cluster.
    """
    wanted = needs(launch)
    if any(_fits(wanted, node) for node in nodes):
        busy = [
            f"{_text(name, amount)}: {_number(name, free.get(name, 0.0))} of "
            f"{_number(name, sum(node.get(name, 0.0) for node in nodes))} free"
            for name, amount in wanted.items()
            if free.get(name, 0.0) < amount
        ]
        return f"waits for {', '.join(busy)}" if busy else ""
    lacking = [
        f"{_text(name, amount)}, the cluster has {_largest(name, nodes)}"
        for name, amount in wanted.items()
        if not any(_fits({name: amount}, node) for node in nodes)
    ]
    if lacking:
        return f"{NEEDS}{'; '.join(lacking)}"
    together = " and ".join(_text(name, amount) for name, amount in wanted.items())
    return f"{NEEDS}{together} on one node, no node has all of it"


def _fits(wanted: Mapping[str, float], node: Mapping[str, float]) -> bool:
    return all(node.get(name, 0.0) >= amount for name, amount in wanted.items())


def _largest(name: str, nodes: Sequence[Mapping[str, float]]) -> str:
    most = max((node.get(name, 0.0) for node in nodes), default=0.0)
    text = _number(name, most)
    return f"{text} on its largest node" if len(nodes) > 1 and most else text


def _text(name: str, amount: float) -> str:
    if name == "memory":
        return f"{_number(name, amount)} memory"
    return f"{_number(name, amount)} {name.lower()}"


def _number(name: str, amount: float) -> str:
    return f"{amount / GIB:.3g} GiB" if name == "memory" else f"{amount:g}"
