"""Replicas as Ray actors: named, detached, each in a process of its own."""

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any

import ray
import ray.exceptions
import ray.util
from ray.actor import ActorHandle

from mesh.clock import Clock, monotonic
from mesh.cluster.actors import ReplicaActor
from mesh.cluster.contract import Failed, Started
from mesh.cluster.lives import Lives, Process
from mesh.cluster.resources import shortage
from mesh.errors import Unavailable
from mesh.launch import Launch

_log = logging.getLogger(__name__)

NAMESPACE = "mesh"
"""Ray namespace of all actors of the mesh."""
PREFIX = "mesh:"
"""What the names of these actors begin with."""
CONTROLLER = f"{PREFIX}controller"
"""Name of the controller's actor."""
HOST = "mesh.replica.host:ReplicaHost"
"""What a replica's actor hosts."""
THREADS = 8
"""Methods of a replica's actor that run at once: none of them waits for user code of another."""
ANSWER = 10.0
"""Seconds an actor has to answer a question that takes no work."""


class RayCluster(Lives):
    """Replicas on the Ray cluster that this process is connected to (see `contract.Cluster`).

    `host` names the class that actors host; `bind_host` is what replicas listen on (empty: the
    address of their node).
    """

    def __init__(self, *, bind_host: str = "", host: str = HOST, clock: Clock = monotonic) -> None:
        super().__init__(clock=clock)
        self._bind_host = bind_host
        self._host = host

    def _spawn(self, launch: Launch) -> Process:
        return _RayProcess(launch, lambda: create(launch, self._host, self._bind_host))

    async def _running(self) -> list[tuple[Launch, Process]]:
        names = await asyncio.to_thread(ray.util.list_named_actors, all_namespaces=True)
        found = await asyncio.gather(
            *(
                _adopted(actor["name"])
                for actor in names
                if actor["namespace"] == NAMESPACE
                and actor["name"].startswith(PREFIX)
                and actor["name"] != CONTROLLER
            )
        )
        return [replica for replica in found if replica is not None]


def create(launch: Launch, host: str, bind_host: str) -> "ActorHandle[ReplicaActor]":
    """Creates the actor of a replica; Ray places it when it can. Blocks for a round trip."""
    options: dict[str, Any] = {
        "name": PREFIX + launch.replica_id,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "max_concurrency": THREADS,
        "max_restarts": 0,  # the controller replaces what died
        "num_cpus": launch.cpu,
        "num_gpus": launch.gpu,
    }
    if launch.memory:
        options["memory"] = launch.memory
    if launch.envs:
        options["runtime_env"] = {"env_vars": dict(launch.envs)}
    actor = ray.remote(ReplicaActor).options(**options)
    return actor.remote(launch, host, bind_host, own_process=True)


async def _adopted(name: str) -> tuple[Launch, Process] | None:
    try:
        actor = await asyncio.to_thread(ray.get_actor, name, namespace=NAMESPACE)
        launch = await _result(actor.launch.remote(), ANSWER)
    except (ValueError, Unavailable) as error:
        _log.warning("actor %s does not answer and is left alone: %s", name, error)
        return None
    return launch, _RayProcess(launch, lambda: actor)


class _RayProcess:
    """One actor (see `lives.Process`). `create` makes it, or finds it."""

    def __init__(self, launch: Launch, create: Callable[[], Any]) -> None:
        self._launch = launch
        self._create = create
        self._creating: asyncio.Future[Any] | None = None

    async def _actor(self) -> Any:
        if self._creating is None:
            self._creating = asyncio.ensure_future(asyncio.to_thread(self._create))
        try:
            # Shielded: whoever stops waiting must not lose an actor that comes to be after all.
            return await asyncio.shield(self._creating)
        except (ray.exceptions.RayError, ValueError, TypeError) as error:
            raise Unavailable(f"Ray refuses the replica: {first_line(error)}") from None

    async def placed(self) -> None:
        """As of Process."""
        actor = await self._actor()
        await _result(actor.launch.remote())

    async def missing(self) -> str:
        """As of Process."""
        try:
            nodes = await asyncio.to_thread(ray.nodes)
            free = await asyncio.to_thread(ray.available_resources)
        except ray.exceptions.RayError as error:
            return f"Ray does not answer: {first_line(error)}"
        return shortage(self._launch, [n["Resources"] for n in nodes if n["Alive"]], free)

    async def start(self) -> Started | Failed:
        """As of Process."""
        actor = await self._actor()
        outcome: Started | Failed = await _result(actor.start.remote())
        return outcome

    async def watch(self) -> str:
        """As of Process."""
        actor = await self._actor()
        reason: str = await _result(actor.watch.remote())
        return reason

    async def drain(self, timeout_s: float) -> None:
        """As of Process."""
        actor = await self._actor()
        await _result(actor.drain.remote(timeout_s))

    async def end(self, *, gently: bool) -> None:
        """As of Process."""
        try:
            actor = await self._actor()
        except Unavailable:
            return  # it never came to be
        if gently:
            try:
                await _result(actor.stop.remote(), ANSWER)
            except Unavailable as error:
                _log.warning("replica %s: %s", self._launch.replica_id, error.message)
        await asyncio.to_thread(ray.kill, actor, no_restart=True)
        await self._dead(actor)

    async def _dead(self, actor: Any) -> None:
        """Waits until Ray confirms the death, which is when the resources are free."""
        try:
            await _result(actor.launch.remote(), ANSWER)
        except Unavailable as error:
            _log.debug("replica %s: %s", self._launch.replica_id, error.message)


async def _result(ref: "ray.ObjectRef[Any]", limit: float | None = None) -> Any:
    """What a method of an actor returns.

    Raises Unavailable with one line if it died, raised, or took longer than `limit` seconds.
    """
    try:
        async with asyncio.timeout(limit):
            return await asyncio.wrap_future(ref.future())
    except TimeoutError:
        raise Unavailable(f"no answer within {limit:g} s") from None
    except ray.exceptions.RayError as error:
        raise Unavailable(death(error)) from None


_DETAIL = re.compile(r"Worker exit detail: ([^\n]*)|The actor is dead because ([^\n]*)")


def death(error: Exception) -> str:
    """Why an actor died, in one line, from what Ray says about it."""
    text = str(error)
    if isinstance(error, ray.exceptions.RayTaskError) or "creation task" in text:
        return text.strip().splitlines()[-1].strip()
    if match := _DETAIL.search(text):
        return f"the process died: {(match[1] or match[2]).strip()}"
    return f"the process died: {first_line(error)}"


def first_line(error: Exception) -> str:
    """The first line of an error's text, or its type if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
