"""A cluster in memory: nodes with resources, and replicas that cost nothing.

Times are those of the event loop. In one of `tests.virtual_time` an hour of it takes moments.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from mesh.cluster.contract import Failed, LogChunk, Started
from mesh.cluster.lives import Lives, Process, Running
from mesh.control.placement import Node, needs
from mesh.control.standby import Warm, tend
from mesh.errors import Unavailable
from mesh.launch import Launch

NODE: Mapping[str, float] = {"CPU": 64.0, "GPU": 8.0, "memory": 2.0**38}
"""What a node offers where nobody says."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What replicas of a target do.

    `starts` and `drains` are in seconds; one that drains for longer than it may stops then. With
    `fails` it cannot start, for this reason.
    """

    starts: float = 0.0
    drains: float = 0.0
    fails: str = ""


@dataclass(slots=True)
class _Node:
    name: str
    free: dict[str, float]
    here: "dict[str, _FakeProcess]" = field(default_factory=dict)


class World:
    """Nodes, and the processes that run on them whoever controls them.

    `behave` says by its launch what a replica does.
    """

    def __init__(
        self,
        nodes: int = 1,
        resources: Mapping[str, float] = NODE,
        behave: Callable[[Launch], Behaviour] = lambda _: Behaviour(),
    ) -> None:
        self.behave = behave
        self._resources = resources
        self._numbers = count()
        self._ports = count(1)
        self._nodes: dict[str, _Node] = {}
        self._waiting: dict[asyncio.Future[None], None] = {}
        for _ in range(nodes):
            self.add_node()

    def __repr__(self) -> str:
        return f"<World {len(self._nodes)} nodes, {sum(1 for _ in self.processes())} replicas>"

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes that are there."""
        return tuple(self._nodes)

    def offered(self) -> tuple[Node, ...]:
        """The nodes as a cluster tells of them."""
        return tuple(
            Node(node.name, node.name, self._resources, dict(node.free))
            for node in self._nodes.values()
        )

    def on(self, node: str) -> tuple[str, ...]:
        """The ids of the replicas on a node."""
        return tuple(self._nodes[node].here)

    def processes(self) -> "Iterator[_FakeProcess]":
        """Those that run."""
        for node in tuple(self._nodes.values()):  # others look from other threads
            yield from tuple(node.here.values())

    def add_node(self) -> str:
        """A new node; returns its name."""
        name = f"node-{next(self._numbers):04}"
        self._nodes[name] = _Node(name, dict(self._resources))
        self._wake()
        return name

    def lose_node(self, name: str) -> int:
        """Ends a node with all that runs there; returns how many replicas these were."""
        node = self._nodes.pop(name)
        lost = tuple(node.here.values())
        for process in lost:
            process.die(f"node {name} was lost")
        return len(lost)

    def kill(self, replica_id: str, reason: str = "the process died") -> None:
        """Ends one replica, if it runs."""
        for process in self.processes():
            if process.launch.replica_id == replica_id:
                return process.die(reason)
        return None

    async def place(self, process: "_FakeProcess") -> _Node:
        """Returns when a node has taken the process in."""
        while (node := self._room(process.launch)) is None:
            room = asyncio.get_running_loop().create_future()
            self._waiting[room] = None
            try:
                await room
            finally:
                self._waiting.pop(room, None)
        for name, amount in needs(process.launch).items():
            node.free[name] -= amount
        node.here[process.launch.replica_id] = process
        return node

    def _room(self, launch: Launch) -> _Node | None:
        """The first node with room, which comes last next time: so all have about as many."""
        wanted = needs(launch).items()
        for name, node in self._nodes.items():
            if all(node.free.get(each, 0.0) >= amount for each, amount in wanted):
                self._nodes[name] = self._nodes.pop(name)
                return node
        return None

    def release(self, process: "_FakeProcess", node: _Node) -> None:
        """Takes a process from its node."""
        if node.here.pop(process.launch.replica_id, None) is not None:
            for name, amount in needs(process.launch).items():
                node.free[name] += amount
            self._wake()

    def _wake(self) -> None:
        for room in self._waiting:
            if not room.done():
                room.set_result(None)

    def address(self, node: str) -> str:
        """One that no replica had."""
        return f"{node}:{next(self._ports)}"


class FakeCluster(Lives):
    """Follows the replicas of a world (see `mesh.cluster.contract`), those it finds there too."""

    def __init__(self, world: World) -> None:
        super().__init__(clock=asyncio.get_running_loop().time)
        self.world = world
        self._wanted: Mapping[str, Warm] = {}

    def _spawn(self, launch: Launch) -> Process:
        return _FakeProcess(self.world, launch)

    async def nodes(self) -> Sequence[Node]:
        return self.world.offered()

    async def keep_warm(self, wanted: Mapping[str, Warm]) -> None:
        self._wanted = wanted

    def warm(self) -> Mapping[str, int]:
        """Those that would fit now: here they cost nothing and are in nobody's way."""
        fit = tend(self._wanted, (), self.world.offered()).starts
        return Counter(each.launch.service for each in fit)

    async def _running(self) -> list[Running]:
        return [(each.launch, each, each.started) for each in self.world.processes()]


class _FakeProcess:
    """See `mesh.cluster.lives.Process`."""

    def __init__(self, world: World, launch: Launch) -> None:
        self.launch = launch
        self._world = world
        self._does = world.behave(launch)
        self._node: _Node | None = None
        self.started: Started | Failed | None = None
        self._death: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._log = f"replica {launch.replica_id} starts\nand that is all it says\n"

    def __repr__(self) -> str:
        return f"<{self.launch.replica_id} on {self._node.name if self._node else 'no node'}>"

    def write(self, text: str) -> None:
        """Has the process write to its log."""
        self._log += text

    def die(self, reason: str) -> None:
        if not self._death.done():
            self._death.set_result(reason)
        if self._node is not None:
            self._world.release(self, self._node)

    async def placed(self) -> str:
        if self._node is None:
            self._node = await self._world.place(self)
        return self._node.name

    async def missing(self) -> str:
        return "no node has room for it"

    async def start(self) -> Started | Failed:
        if self.started is None:
            await self._pass(self._does.starts)
            assert self._node is not None
            fails = self._does.fails
            self.started = Failed(fails) if fails else Started(self._world.address(self._node.name))
        return self.started

    async def watch(self) -> str:
        return await asyncio.shield(self._death)

    async def drain(self, timeout_s: float) -> None:
        await self._pass(min(self._does.drains, timeout_s))

    async def end(self, *, gently: bool) -> None:
        del gently
        self.die("it was stopped")

    async def logs(self, after: int, limit: int) -> LogChunk:
        start = max(after, 0)
        text = self._log[start : start + limit]
        return LogChunk(text, start + len(text))

    async def _pass(self, seconds: float) -> None:
        """Raises Unavailable if the process ends before."""
        if seconds > 0:
            await asyncio.wait({self._death}, timeout=seconds)
        if self._death.done():
            raise Unavailable(self._death.result())
