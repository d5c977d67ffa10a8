"""One replica as a Ray actor: where it goes, that it comes to life there, what it logs."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ray
import ray.exceptions
from ray.actor import ActorHandle

from mesh.cluster.contract import Failed, LogChunk, Started
from mesh.cluster.lives import PLACING
from mesh.cluster.log_file import LogPlace
from mesh.cluster.ray_actors import resource_options
from mesh.cluster.ray_calls import ANSWER, ended, first_line, patiently, result
from mesh.cluster.ray_nodes import Places, only_on, type_options
from mesh.cluster.ray_release import Preparing, Ready
from mesh.cluster.ray_replica import RayReplica, read_here
from mesh.cluster.standbys import Standby, Standbys
from mesh.control.placement import Anywhere, Choice, Node, On, Wait
from mesh.errors import Unavailable
from mesh.launch import Launch
from mesh.nodes.prepare import Prepared

_log = logging.getLogger(__name__)

RECONSIDER = 10.0
"""Seconds a replica has to come to life on the node that was chosen for it."""


class RayProcess:
    """One actor (see `lives.Process`), which `create` makes with options, or which is `adopted`.

    Before it is made, `preparing` has the node get ready what it needs. If one of the `standbys`
    can become the replica, that is its actor, and none is made.
    """

    def __init__(
        self,
        launch: Launch,
        places: Places,
        create: Callable[[Mapping[str, Any], Prepared | None], Any],
        *,
        standbys: Standbys | None = None,
        preparing: Preparing | None = None,
        adopted: "ActorHandle[RayReplica] | None" = None,
        reconsider: float = RECONSIDER,
    ) -> None:
        self._launch = launch
        self._places = places
        self._create = create
        self._standbys = standbys
        self._preparing = preparing
        self._is_adopted = adopted is not None
        self._reconsider = reconsider
        self._creating: asyncio.Future[Any] | None = None
        if adopted is not None:
            self._creating = asyncio.get_running_loop().create_future()
            self._creating.set_result(adopted)
        self._choice: Choice = Anywhere()
        self._refused: Counter[str] = Counter()
        self._log: LogPlace | None = None
        self._ended = False

    async def _actor(self) -> Any:
        if self._creating is None:
            raise Unavailable("the replica is not placed")
        try:
            # Shielded: whoever stops waiting must not lose an actor that comes to be after all.
            return await asyncio.shield(self._creating)
        except (ray.exceptions.RayError, ValueError, TypeError) as error:
            raise Unavailable(f"Ray refuses the replica: {first_line(error)}") from None

    def _begin(self, options: Mapping[str, Any], prepared: Prepared | None = None) -> None:
        if self._ended:
            self._places.leave(self._launch)
            raise Unavailable("the replica was stopped")
        self._creating = asyncio.ensure_future(asyncio.to_thread(self._create, options, prepared))

    def _take(self, standbys: Standbys, prepared: Prepared | None) -> bool:
        """Has a standby become the replica, if there is one for it."""
        if self._ended or (prepared and prepared.python):
            return False  # a process keeps the Python that it was started with
        standby = standbys.take(self._launch, self._choice)
        if standby is not None:
            self._creating = asyncio.ensure_future(self._taken(standbys, standby, prepared))
        return standby is not None

    async def _taken(self, standbys: Standbys, standby: Standby, prepared: Prepared | None) -> Any:
        try:
            return await standbys.become(standby, self._launch, prepared)
        except Unavailable as error:  # it died meanwhile, or the replica cannot be made at all
            _log.warning("%s was no use: %s", standby.launch.replica_id, error.message)
        self._choice = On(standby.node_id)
        options = self._options(self._choice, await self._places.alive())
        return await asyncio.to_thread(self._create, options, prepared)

    async def placed(self) -> str:
        """As of Process."""
        if self._is_adopted or self._standbys is None:
            where = await self._where()
        else:
            with self._standbys.coming(self._launch):
                where = await self._find_place(self._standbys)
        self._log = where
        if not self._ended:
            self._places.settle(self._launch, where.node_id)
        return await self._places.name(where.node_id)

    async def _where(self) -> LogPlace:
        actor = await self._actor()
        where: LogPlace = await patiently(actor.where)
        return where

    async def _find_place(self, standbys: Standbys) -> LogPlace:
        """Chooses, and chooses anew as long as the replica does not get what was chosen."""
        limit = self._reconsider
        await self._choose(standbys)
        while True:
            if self._creating is None:  # it has to wait, and Ray knows nothing of it
                await asyncio.sleep(PLACING)
                await self._choose(standbys)
                continue
            patience = limit if isinstance(self._choice, On) else None
            try:
                async with asyncio.timeout(patience):
                    return await self._where()
            except TimeoutError:
                await self._choose_again(standbys)
            except Unavailable:
                if not await self._lost_its_node():
                    raise
                await self._choose(standbys)
            limit *= 2

    async def _choose(self, standbys: Standbys) -> None:
        self._choice = await self._chosen()
        self._creating = None
        if isinstance(self._choice, Wait):
            return
        prepared = None
        if self._preparing is not None:
            ready = await self._ready(self._preparing, self._choice)
            self._choice = On(ready.node_id)  # for it is ready only there
            self._places.settle(self._launch, ready.node_id)
            prepared = ready.prepared
        if self._take(standbys, prepared):
            return
        self._choice = await standbys.make_way(self._launch, self._choice)
        self._begin(self._options(self._choice, await self._places.alive()), prepared)

    async def _chosen(self) -> Choice:
        """Where it goes. A release has its node chosen in any case, so that it gets ready there."""
        launch = self._launch
        if self._preparing is not None and not launch.placement:
            launch = replace(launch, placement="spread")
        return await self._places.choose(launch, self._refused)

    async def _ready(self, preparing: Preparing, choice: Choice) -> Ready:
        """Has a node get ready: the one that was chosen, or one that Ray finds to have room."""
        if isinstance(choice, On):
            try:
                return await preparing.on(choice.node_id)
            except Unavailable:
                if await self._is_alive(choice.node_id):
                    raise
        options = resource_options(self._launch)
        options |= type_options(self._launch, Anywhere(), await self._places.alive())
        return await preparing.anywhere(options)

    async def _is_alive(self, node_id: str) -> bool:
        return node_id in {node.id for node in await self._places.alive()}

    async def _choose_again(self, standbys: Standbys) -> None:
        """For a replica that does not come to life on the node that was chosen.

        If its resources are taken there, it takes them: its process is slow to start. Else
        something else took its room.
        """
        before = self._choice
        if isinstance(before, On):
            if await self._places.has_arrived(self._launch, before.node_id):
                return
            self._refused[before.node_id] += 1
        choice = await self._chosen()
        if choice == before or (
            isinstance(before, On) and isinstance(choice, On) and before.node_id == choice.node_id
        ):
            return
        _log.info("replica %s is placed anew", self._launch.replica_id)
        await ended(await self._actor())
        await self._choose(standbys)

    async def _lost_its_node(self) -> bool:
        """Whether it could not be placed because the node it had to go to is gone."""
        return isinstance(self._choice, On) and not await self._is_alive(self._choice.node_id)

    def _options(self, choice: Choice, nodes: Sequence[Node]) -> dict[str, Any]:
        options = type_options(self._launch, choice, nodes)
        if isinstance(choice, On):
            options["scheduling_strategy"] = only_on(choice.node_id)
        return options

    async def missing(self) -> str:
        """As of Process."""
        if self._preparing is not None and self._preparing.note:
            return self._preparing.note
        if isinstance(self._choice, On) and not self._refused:
            return ""  # it is on its way, and what it takes may look taken by others
        return await self._places.missing(self._launch)

    async def start(self) -> Started | Failed:
        """As of Process."""
        actor = await self._actor()
        secrets = (self._launch.secrets,) if self._launch.secret_names else ()
        given = () if self._is_adopted else secrets
        outcome: Started | Failed = await patiently(actor.start, *given)
        if isinstance(outcome, Failed) and self._preparing is not None and self._log is not None:
            self._preparing.forget(self._log.node_id)
        return outcome

    async def watch(self) -> str:
        """As of Process."""
        actor = await self._actor()
        reason: str = await patiently(actor.watch)
        return reason

    async def drain(self, timeout_s: float) -> None:
        """As of Process."""
        actor = await self._actor()
        await result(actor.drain.remote(timeout_s))

    async def end(self, *, gently: bool) -> None:
        """As of Process."""
        self._ended = True
        try:
            actor = await self._actor()
            if gently:
                await self._ask_to_stop(actor)
            await ended(actor)
        except Unavailable as error:
            _log.debug("replica %s never came to be: %s", self._launch.replica_id, error.message)
        finally:
            self._places.leave(self._launch)

    async def _ask_to_stop(self, actor: Any) -> None:
        try:
            await result(actor.stop.remote(), ANSWER)
        except Unavailable as error:
            _log.warning("replica %s: %s", self._launch.replica_id, error.message)

    async def logs(self, after: int, limit: int) -> LogChunk:
        """As of Process: from here, from the actor, or from a task on its node."""
        if self._log is None:
            return LogChunk("", 0)  # it is not placed: it has written nothing
        chunk = await asyncio.to_thread(read_here, self._log, after, limit)
        if chunk is None and not self._ended:
            chunk = await _or_none((await self._actor()).logs.remote(after, limit))
        if chunk is None:
            chunk = await _or_none(read_on_node(self._log, after, limit))
        if chunk is None:
            node = await self._places.name(self._log.node_id)
            raise Unavailable(f"the log of {self._launch.replica_id} cannot be read on node {node}")
        return chunk


def read_on_node(place: LogPlace, after: int, limit: int) -> "ray.ObjectRef[LogChunk | None]":
    """Reads a log in a task on its node; None if it is not there. Fails if the node is gone."""
    there = only_on(place.node_id)
    task = ray.remote(read_here).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
    return task.remote(place, after, limit)


async def _or_none(ref: "ray.ObjectRef[LogChunk | None]") -> LogChunk | None:
    try:
        chunk: LogChunk | None = await result(ref, ANSWER)
    except Unavailable as error:
        _log.debug("a log cannot be read: %s", error.message)
        return None
    return chunk
