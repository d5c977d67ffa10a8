"""The standbys of a cluster: how many there are, which replica takes one, which make way."""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from mesh.clock import Clock, monotonic
from mesh.cluster.ray_nodes import Places
from mesh.control.placement import Choice, On, Resident, Wait
from mesh.control.standby import Warm, can_become, tend, way
from mesh.errors import Unavailable
from mesh.launch import Launch
from mesh.nodes.prepare import Prepared

_log = logging.getLogger(__name__)

NAME = "standby:"
"""What the ids of standbys begin with; ids of replicas have no colon."""
LOOK_EVERY = 1.0
"""Seconds between two looks at what is missing."""
OVERDUE = 3.0
"""Seconds in which a replica that no standby is in the way of has its resources."""
READY_WAIT = 120.0
"""Seconds that the process of a standby has to come up."""
AGAIN = 30.0
"""Seconds until there is another try after one has failed."""


@dataclass(slots=True, eq=False)
class Standby:
    """One that waits, or starts. `actor` comes once Ray knows of it."""

    launch: Launch
    node_id: str
    actor: asyncio.Future[Any]
    is_ready: bool = False


def _leads_to(choice: Choice, node_id: str) -> bool:
    return choice.node_id == node_id if isinstance(choice, On) else not isinstance(choice, Wait)


class Standbys:
    """Keeps standbys, for one event loop.

    `create` makes the actor of one on a node, `become` makes it a replica, and `end` ends it and
    returns when its resources are free; `wait` gives what a reference of Ray stands for. All but
    `create` raise nothing but Unavailable.
    """

    def __init__(
        self,
        places: Places,
        create: Callable[[Launch, str], Coroutine[None, None, Any]],
        become: Callable[[Any, Launch, Prepared | None], Coroutine[None, None, None]],
        end: Callable[[Any], Coroutine[None, None, None]],
        wait: Callable[[Any], Coroutine[None, None, Any]],
        clock: Clock = monotonic,
    ) -> None:
        self._places = places
        self._create = create
        self._become = become
        self._end = end
        self._wait = wait
        self._clock = clock
        self._wanted: Mapping[str, Warm] = {}
        self._there: dict[str, Standby] = {}
        self._coming: dict[str, tuple[float, Launch]] = {}
        self._not_before = float("-inf")
        self._woken = asyncio.Event()
        self._tending: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Standbys {dict(self.ready())}>"

    def keep(self, wanted: Mapping[str, Warm]) -> None:
        """Keeps so many from now on, instead of what was wanted before."""
        self._wanted = dict(wanted)
        if self._tending is None:
            self._tending = asyncio.get_running_loop().create_task(self._run(), name="standbys")
        self._woken.set()

    def ready(self) -> Counter[str]:
        """How many are ready, by instance type."""
        return Counter(each.launch.service for each in self._there.values() if each.is_ready)

    def adopt(self, launch: Launch, node_id: str, actor: Any) -> None:
        """Takes over one that an earlier controller left. What is wanted is not known yet."""
        made = asyncio.get_running_loop().create_future()
        made.set_result(actor)
        self._follow(Standby(launch, node_id, made, is_ready=True))

    @contextmanager
    def coming(self, launch: Launch) -> Iterator[None]:
        """While a replica is being placed. No standby starts then that could be in its way."""
        self._coming[launch.replica_id] = (self._clock(), launch)
        try:
            yield
        finally:
            del self._coming[launch.replica_id]
            self._woken.set()

    def take(self, launch: Launch, choice: Choice) -> Standby | None:
        """One that can become the replica where that goes; its room is the replica's from now on.

        None if there is none, or if the replica sets variables that would come too late.
        """
        found = min(
            (
                each
                for each in self._there.values()
                if each.is_ready
                and can_become(each.launch, launch)
                and _leads_to(choice, each.node_id)
            ),
            key=lambda each: each.launch.replica_id,
            default=None,
        )
        if found is not None:
            del self._there[found.launch.replica_id]
            self._places.take(found.launch, launch)
            self._woken.set()
        return found

    async def become(self, standby: Standby, launch: Launch, prepared: Prepared | None) -> Any:
        """Makes one that was taken the replica; returns its actor.

        Raises Unavailable if that cannot be; then it has ended.
        """
        actor = await standby.actor
        try:
            await self._become(actor, launch, prepared)
        except Unavailable:
            await self._end(actor)
            raise
        return actor

    async def make_way(self, launch: Launch, choice: Choice) -> Choice:
        """Ends those that are in the way of a replica, and says where it goes then.

        Raises Unavailable if Ray does not answer.
        """
        if not self._there:
            return choice
        node_id = choice.node_id if isinstance(choice, On) else ""
        nodes = await self._places.seen()
        # No await from here until what is decided is kept.
        found = way(launch, nodes, self._places.others(launch), self._places.standbys(), node_id)
        if found is None or not found[1]:
            return choice
        best, ends = found
        self._places.settle(launch, best)
        await asyncio.gather(*(self._drop(self._there[each]) for each in ends))
        return On(best)

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._look()
            except Unavailable as error:
                _log.debug("standbys: %s", error.message)
            except Exception:  # noqa: BLE001  # whatever it is; the next look tries again
                _log.exception("standbys cannot be looked after")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._woken.wait()

    async def _look(self) -> None:
        if not (self._wanted or self._there):
            return
        nodes = await self._places.seen()
        now = self._clock()
        late = [launch for since, launch in self._coming.values() if now - since >= OVERDUE]
        tended = tend(
            self._wanted,
            self._places.standbys(),
            nodes,
            self._places.residents(),
            [launch for _, launch in self._coming.values()],
            [launch for launch in late if not self._places.seems_placed(launch, nodes)],
        )
        for identity in tended.ends:
            self._do(self._drop(self._there[identity]), identity)
        if now >= self._not_before:
            for start in tended.starts:
                self._start(start)

    def _start(self, start: Resident) -> None:
        identity = f"{NAME}{start.launch.service}:{secrets.token_hex(4)}"
        launch = replace(start.launch, replica_id=identity)
        actor = asyncio.ensure_future(self._create(launch, start.node_id))
        _log.info("%s: start", identity)
        self._follow(Standby(launch, start.node_id, actor))

    def _follow(self, standby: Standby) -> None:
        self._there[standby.launch.replica_id] = standby
        self._places.hold(standby.launch, standby.node_id)
        self._do(self._live(standby), standby.launch.replica_id)

    async def _live(self, standby: Standby) -> None:
        """Waits for its process, then until it is taken. If it dies, another one follows."""
        try:
            actor = await asyncio.shield(standby.actor)
            async with asyncio.timeout(None if standby.is_ready else READY_WAIT):
                await self._wait(actor.where.remote())
            standby.is_ready = True
            await self._wait(actor.idle.remote())
        except Exception as error:  # noqa: BLE001  # whatever Ray says of it
            if self._there.get(standby.launch.replica_id) is standby:
                _log.warning("%s failed: %r", standby.launch.replica_id, error)
                self._not_before = self._clock() + AGAIN
                await self._drop(standby)

    async def _drop(self, standby: Standby) -> None:
        """Ends one that was not taken; returns when its resources are free."""
        if self._there.pop(standby.launch.replica_id, None) is None:
            return
        self._places.drop(standby.launch)
        _log.info("%s: end", standby.launch.replica_id)
        try:
            await self._end(await asyncio.shield(standby.actor))
        except Exception as error:  # noqa: BLE001  # it never came to be
            _log.debug("%s: %s", standby.launch.replica_id, error)

    def _do(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Ends all."""
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.gather(self._tending, return_exceptions=True)
        await asyncio.gather(*(self._drop(each) for each in tuple(self._there.values())))
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
