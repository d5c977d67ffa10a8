"""Replicas as Ray actors: named, detached, each in a process of its own."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import ray
import ray._private.state
import ray.exceptions
import ray.util

from mesh.clock import Clock, monotonic
from mesh.cluster.lives import Lives, Process, Running
from mesh.cluster.ray_actors import (
    CONTROLLER,
    HOST,
    NAMESPACE,
    PREFIX,
    create,
    create_standby,
    without_secrets,
)
from mesh.cluster.ray_calls import ANSWER, RETRY_EVERY, UnreachableError, ended, result
from mesh.cluster.ray_nodes import Places, only_on, type_options
from mesh.cluster.ray_process import RECONSIDER, RayProcess
from mesh.cluster.ray_release import Origin, Preparations
from mesh.cluster.standbys import Standbys
from mesh.control.placement import Node, On
from mesh.control.standby import Warm
from mesh.errors import Unavailable
from mesh.launch import Launch
from mesh.nodes.prepare import Prepared
from mesh.nodes.settings import NodeSettings

_log = logging.getLogger(__name__)

ORIGIN = Origin(CONTROLLER, NAMESPACE)
"""Who has the archives of releases."""


class RayCluster(Lives):
    """Replicas on the Ray cluster that this process is connected to (see `contract.Cluster`).

    `host` names the class that actors host; `bind_host` is what replicas listen on (empty: the
    address of their node). A replica for which the mesh chose a node and that does not get it
    within `reconsider` seconds is placed anew; each time the wait doubles. A replica of an earlier
    controller has `answer` seconds to say how it is; later it is adopted when it does. Nodes keep
    releases as `nodes` says, and get them from `origin`.
    """

    def __init__(
        self,
        *,
        bind_host: str = "",
        host: str = HOST,
        reconsider: float = RECONSIDER,
        answer: float = ANSWER,
        nodes: NodeSettings | None = None,
        origin: Origin = ORIGIN,
        clock: Clock = monotonic,
    ) -> None:
        super().__init__(clock=clock)
        self._nodes = nodes or NodeSettings()
        self._preparations = Preparations(self._nodes, origin, result, clock)
        self._bind_host = bind_host
        self._host = host
        self._reconsider = reconsider
        self._answer = answer
        self._places = Places(clock)
        self._standbys = Standbys(
            self._places, self._made_standby, self._become, ended, result, clock
        )
        self._later: set[asyncio.Task[None]] = set()

    def _spawn(self, launch: Launch) -> Process:
        def made(options: Mapping[str, Any], prepared: Prepared | None) -> Any:
            return create(launch, self._host, self._bind_host, options, prepared, self._nodes)

        release = launch.source.release
        preparing = self._preparations.of(launch.source, launch.build) if release else None
        return RayProcess(
            launch,
            self._places,
            made,
            standbys=self._standbys,
            preparing=preparing,
            reconsider=self._reconsider,
        )

    async def _made_standby(self, standby: Launch, node_id: str) -> Any:
        choice = On(node_id)
        options = {
            **type_options(standby, choice, await self._places.alive()),
            "scheduling_strategy": only_on(node_id),
        }
        return await asyncio.to_thread(create_standby, standby, self._host, options)

    async def _become(self, actor: Any, launch: Launch, prepared: Prepared | None) -> None:
        bare = without_secrets(launch)  # as with `create`
        more = (self._host, self._bind_host, prepared, self._nodes)
        await result(actor.become.remote(bare, *more), ANSWER)

    async def keep_warm(self, wanted: Mapping[str, Warm]) -> None:
        """As of Cluster."""
        self._standbys.keep(wanted)

    def warm(self) -> Mapping[str, int]:
        """As of Cluster."""
        return self._standbys.ready()

    async def nodes(self) -> Sequence[Node]:
        """As of Cluster."""
        return await self._places.alive()

    async def _running(self) -> list[Running]:
        names = await asyncio.to_thread(ray.util.list_named_actors, all_namespaces=True)
        found = await asyncio.gather(
            *(
                self._adopted_or_later(actor["name"])
                for actor in names
                if actor["namespace"] == NAMESPACE
                and actor["name"].startswith(PREFIX)
                and actor["name"] != CONTROLLER
            )
        )
        return [replica for replica in found if replica is not None]

    async def _adopted_or_later(self, name: str) -> Running | None:
        """A replica, or None: one that does not answer now is followed as soon as it does."""
        try:
            return await self._adopted(name)
        except UnreachableError as error:
            _log.warning("actor %s does not answer yet: %s", name, error.message)
        later = asyncio.get_running_loop().create_task(self._adopt_later(name), name=name)
        self._later.add(later)
        later.add_done_callback(self._later.discard)
        return None

    async def _adopt_later(self, name: str) -> None:
        while True:
            await asyncio.sleep(RETRY_EVERY)
            try:
                running = await self._adopted(name)
            except UnreachableError:
                continue
            if running is not None:
                self._take_over(running)
            return

    async def close(self) -> None:
        """As of Cluster."""
        for later in self._later:
            later.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)
        await self._preparations.close()
        await super().close()
        await self._standbys.close()

    async def _adopted(self, name: str) -> Running | None:
        """A replica of which an earlier controller has told Ray; None if there is none any more.

        Raises UnreachableError if it does not answer.
        """
        try:
            actor = await asyncio.to_thread(ray.get_actor, name, namespace=NAMESPACE)
            if await asyncio.to_thread(_has_no_place, actor):
                # Nobody waits for it, and a place for it is decided by who starts it.
                await asyncio.to_thread(ray.kill, actor, no_restart=True)
                return None
            launch = await result(actor.launch.remote(), self._answer)
            where = await result(actor.where.remote(), self._answer)
            if launch is None:
                standby = await result(actor.standby.remote(), self._answer)
                self._standbys.adopt(standby, where.node_id, actor)
                return None
            outcome = await result(actor.outcome.remote(), self._answer)
        except UnreachableError:
            raise
        except (ValueError, ray.exceptions.RayError, Unavailable) as error:
            _log.warning("actor %s is no more: %s", name, error)
            return None
        self._places.settle(launch, where.node_id)
        process = RayProcess(launch, self._places, lambda *_: actor, adopted=actor)
        return launch, process, outcome


def _has_no_place(actor: Any) -> bool:
    """Whether Ray has yet to find a place for an actor, or to start its process there."""
    # Ray's public ways to ask this go through its dashboard, which need not be there.
    told = ray._private.state.actors(actor._actor_id.hex())  # noqa: SLF001  # as above
    return told.get("State") in ("DEPENDENCIES_UNREADY", "PENDING_CREATION")
