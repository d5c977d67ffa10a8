"""The nodes of a Ray cluster as values, and which of the mesh's replicas have which."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import ray
import ray._private.state
import ray.exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mesh.clock import Clock, monotonic
from mesh.cluster.resources import shortage
from mesh.control.placement import Choice, Node, On, Resident, freed, has_arrived, place
from mesh.errors import Unavailable
from mesh.launch import Launch

LOOK_EVERY = 0.25
"""Seconds for which one look at the nodes will do. Ray itself hears from them every 0.1 s."""
LAG = 1.0
"""Seconds after the end of a replica in which Ray may not yet say that its resources are free."""
TYPE_RESOURCE = "accelerator_type:"
"""What the name of the resource begins with by which a node says what GPUs it has."""
TYPE_LABEL = "ray.io/accelerator-type"
"""The label by which a node says the same."""
NODE_LABEL = "ray.io/node-id"
"""The label that Ray itself gives every node."""


class Places:
    """Chooses nodes for replicas, and knows which replica has which. For one event loop."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._alive: Sequence[Node] = ()
        self._names: dict[str, str] = {}
        self._residents: dict[str, Resident] = {}
        self._standbys: dict[str, Resident] = {}
        self._ended: list[tuple[float, Resident]] = []

    def __repr__(self) -> str:
        return f"<Places {len(self._residents)} replicas on {len(self._alive)} nodes>"

    async def alive(self) -> Sequence[Node]:
        """The nodes that are alive. Raises Unavailable if Ray does not answer."""
        async with self._looking:
            if self._clock() >= self._looked_at + LOOK_EVERY:
                self._alive = await asyncio.to_thread(_look)
                self._names.update((node.id, node.name) for node in self._alive)
                self._looked_at = self._clock()
        return self._alive

    async def choose(self, launch: Launch, refused: Mapping[str, int]) -> Choice:
        """Where a replica goes (see `placement.place`); a node that is chosen is promised to it.

        What standbys hold counts as free. Raises Unavailable if Ray does not answer.
        """
        nodes = freed(await self.seen(), self.standbys())
        choice = place(launch, nodes, self.others(launch), refused)  # no await until it is kept
        if isinstance(choice, On):
            self.settle(launch, choice.node_id)
        else:
            self._residents.pop(launch.replica_id, None)
        return choice

    async def has_arrived(self, launch: Launch, node_id: str) -> bool:
        """Whether the replica seems to have its resources on the node that it is promised.

        Raises Unavailable if Ray does not answer.
        """
        nodes = await self.alive()
        residents = [*self.residents(), *self.standbys()]
        return any(n.id == node_id and has_arrived(launch, n, residents) for n in nodes)

    def settle(self, launch: Launch, node_id: str) -> None:
        """The replica has the node, or is promised it."""
        self._residents[launch.replica_id] = Resident(launch, node_id)

    def leave(self, launch: Launch) -> None:
        """The replica is no more."""
        if resident := self._residents.pop(launch.replica_id, None):
            self._ended.append((self._clock(), resident))

    async def missing(self, launch: Launch) -> str:
        """Why the replica has no place, in one line; empty if nothing is missing."""
        try:
            nodes = freed(await self.seen(), self.standbys())
            return shortage(launch, nodes, self.others(launch))
        except Unavailable as error:
            return error.message

    async def name(self, node_id: str) -> str:
        """What people call the node; its id if nobody knows."""
        if node_id not in self._names:
            try:
                await self.alive()
            except Unavailable:
                return node_id
        return self._names.get(node_id, node_id)

    def hold(self, standby: Launch, node_id: str) -> None:
        """A standby has the node, or is promised it."""
        self._standbys[standby.replica_id] = Resident(standby, node_id)

    def drop(self, standby: Launch) -> None:
        """The standby is no more."""
        if resident := self._standbys.pop(standby.replica_id, None):
            self._ended.append((self._clock(), resident))

    def take(self, standby: Launch, launch: Launch) -> None:
        """The standby is the replica from now on."""
        self.settle(launch, self._standbys.pop(standby.replica_id).node_id)

    def standbys(self) -> Sequence[Resident]:
        """Those that have a node, or were promised one."""
        return tuple(self._standbys.values())

    def residents(self) -> Sequence[Resident]:
        """The replicas that have a node, or were promised one."""
        return tuple(self._residents.values())

    def seems_placed(self, launch: Launch, nodes: Sequence[Node]) -> bool:
        """Whether a replica seems to have its resources on some node (see `has_arrived`)."""
        others = [*self.others(launch), *self.standbys()]
        return any(has_arrived(launch, n, [*others, Resident(launch, n.id)]) for n in nodes)

    async def seen(self) -> Sequence[Node]:
        """The nodes, with what has just ended already gone from them.

        Raises Unavailable if Ray does not answer.
        """
        nodes = await self.alive()
        since = self._clock() - LAG
        self._ended = [each for each in self._ended if each[0] >= since]
        return freed(nodes, (resident for _, resident in self._ended))

    def others(self, launch: Launch) -> list[Resident]:
        """The residents without this one."""
        return [r for r in self._residents.values() if r.launch.replica_id != launch.replica_id]


def _look() -> list[Node]:
    """Asks Ray, which takes milliseconds. Raises Unavailable."""
    try:
        told = [node for node in ray.nodes() if node["Alive"]]
        # Of what is free on each node, Ray has no public word that does without its dashboard.
        free = ray._private.state.available_resources_per_node()  # noqa: SLF001  # as above
    except (ray.exceptions.RayError, OSError, RuntimeError) as error:
        text = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise Unavailable(f"Ray does not answer: {text}") from None
    return nodes_of(told, free)


def nodes_of(
    told: Sequence[Mapping[str, Any]], free: Mapping[str, Mapping[str, float]]
) -> list[Node]:
    """What `ray.nodes` tells of living nodes, and what of each is free, as values.

    A node is called by its Ray name, which is its address if it was given none. Names that two
    nodes have are told apart by a piece of their ids.
    """
    called = Counter(node["NodeName"] for node in told)
    return [
        Node(
            id=node["NodeID"],
            name=_name(node, unique=called[node["NodeName"]] == 1),
            total=node["Resources"],
            free=free.get(node["NodeID"], {}),
            gpu_types=_gpu_types(node),
        )
        for node in told
    ]


def _name(node: Mapping[str, Any], *, unique: bool) -> str:
    name = node["NodeName"] or node["NodeManagerAddress"]
    return str(name if unique else f"{name}/{node['NodeID'][:6]}")


def _gpu_types(node: Mapping[str, Any]) -> frozenset[str]:
    names = {
        name.removeprefix(TYPE_RESOURCE)
        for name in node["Resources"]
        if name.startswith(TYPE_RESOURCE)
    }
    label = node.get("Labels", {}).get(TYPE_LABEL)
    return frozenset(names | ({label} if label else set()))


def only_on(node_id: str) -> NodeAffinitySchedulingStrategy:
    """Ray's strategy for what goes to one node, and fails should that be gone.

    Never soft: what reserves nothing Ray then puts on any node, also while that one is there.
    """
    return NodeAffinitySchedulingStrategy(node_id, soft=False)


def rather_on(node_id: str) -> dict[str, Any]:
    """Ray's options for what goes to one node, and to any other once that is gone."""
    return {
        "label_selector": {NODE_LABEL: node_id},
        "fallback_strategy": [{"label_selector": {}}],
    }


def type_options(launch: Launch, choice: Choice, nodes: Sequence[Node]) -> dict[str, Any]:
    """Ray's options by which an actor gets a GPU of the right type.

    Ray finds out the type of a node's GPUs and says it twice, as a resource and as a label; who
    says it by hand may use either. The resource is asked for unless only labels have that type.
    """
    if not launch.gpu_type:
        return {}
    asked = [n for n in nodes if n.id == choice.node_id] if isinstance(choice, On) else nodes
    having = [node for node in asked if launch.gpu_type in node.gpu_types]
    if having and not any(TYPE_RESOURCE + launch.gpu_type in node.total for node in having):
        return {"label_selector": {TYPE_LABEL: launch.gpu_type}}
    return {"accelerator_type": launch.gpu_type}
