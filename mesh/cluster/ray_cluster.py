"""Replicas as Ray actors: named, detached, each in a process of its own."""

import asyncio
import logging
import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ray
import ray._private.state
import ray.exceptions
import ray.util
from ray.actor import ActorHandle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mesh.clock import Clock, monotonic
from mesh.cluster.contract import Failed, LogChunk, Started
from mesh.cluster.lives import PLACING, Lives, Process, Running
from mesh.cluster.log_file import LogPlace
from mesh.cluster.ray_nodes import Places, type_options
from mesh.cluster.ray_release import Origin, Preparations, Preparing, Ready
from mesh.cluster.ray_replica import RayReplica, read_here
from mesh.cluster.ray_standby import RayStandby
from mesh.cluster.standbys import Standby, Standbys
from mesh.control.placement import Anywhere, Choice, Node, On, Wait
from mesh.control.standby import Warm
from mesh.errors import Unavailable
from mesh.launch import NO_SECRETS, Launch
from mesh.nodes.prepare import Prepared
from mesh.nodes.settings import NodeSettings

_log = logging.getLogger(__name__)

NAMESPACE = "mesh"
"""Ray namespace of all actors of the mesh."""
PREFIX = "mesh:"
"""What the names of these actors begin with."""
CONTROLLER = f"{PREFIX}controller"
"""Name of the controller's actor."""
ORIGIN = Origin(CONTROLLER, NAMESPACE)
"""Who has the archives of releases."""
HOST = "mesh.replica.host:ReplicaHost"
"""What a replica's actor hosts."""
THREADS = 8
"""Methods of a replica's actor that run at once: none of them waits for user code of another."""
ANSWER = 10.0
"""Seconds an actor has to answer a question that takes no work."""
UNREACHABLE = 10.0
"""Seconds without a connection to an actor, of which Ray does not say that it died, until the
replica counts as failed."""
RETRY_EVERY = 0.5
"""Seconds between two tries to reach it."""
RECONSIDER = 10.0
"""Seconds a replica has to come to life on the node that was chosen for it."""


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
            self._places, self._made_standby, self._become, _ended, result, clock
        )
        self._later: set[asyncio.Task[None]] = set()

    def _spawn(self, launch: Launch) -> Process:
        def made(options: Mapping[str, Any], prepared: Prepared | None) -> Any:
            return create(launch, self._host, self._bind_host, options, prepared, self._nodes)

        release = launch.source.release
        preparing = self._preparations.of(launch.source, launch.build) if release else None
        return _RayProcess(
            launch,
            self._places,
            made,
            standbys=self._standbys,
            preparing=preparing,
            reconsider=self._reconsider,
        )

    async def _made_standby(self, standby: Launch, node_id: str) -> Any:
        choice = On(node_id, hard=True)
        options = {
            **type_options(standby, choice, await self._places.alive()),
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node_id, soft=False),
        }
        return await asyncio.to_thread(create_standby, standby, self._host, options)

    async def _become(self, actor: Any, launch: Launch, prepared: Prepared | None) -> None:
        bare = _without_secrets(launch)  # as with `create`
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
        except _Unreachable as error:
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
            except _Unreachable:
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

        Raises _Unreachable if it does not answer.
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
        except _Unreachable:
            raise
        except (ValueError, ray.exceptions.RayError, Unavailable) as error:
            _log.warning("actor %s is no more: %s", name, error)
            return None
        self._places.settle(launch, where.node_id)
        process = _RayProcess(launch, self._places, lambda *_: actor, adopted=actor)
        return launch, process, outcome


def _has_no_place(actor: Any) -> bool:
    """Whether Ray has yet to find a place for an actor, or to start its process there."""
    # Ray's public ways to ask this go through its dashboard, which need not be there.
    told = ray._private.state.actors(actor._actor_id.hex())  # noqa: SLF001  # as above
    return told.get("State") in ("DEPENDENCIES_UNREADY", "PENDING_CREATION")


def create(
    launch: Launch,
    host: str,
    bind_host: str,
    options: Mapping[str, Any],
    prepared: Prepared | None = None,
    nodes: NodeSettings | None = None,
) -> "ActorHandle[RayReplica]":
    """Creates the actor of a replica; Ray places it when it can. Blocks for a round trip.

    `options` are Ray's, about where it goes; `prepared` is its release as that node has it ready.
    """
    all_options: dict[str, Any] = {
        "name": PREFIX + launch.replica_id,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "max_concurrency": THREADS,
        "max_restarts": 0,  # the controller replaces what died
        **resource_options(launch),
        **options,
    }
    runtime_env: dict[str, Any] = {}
    if launch.envs:
        runtime_env["env_vars"] = dict(launch.envs)
    if prepared is not None and prepared.python:
        runtime_env["py_executable"] = shlex.quote(prepared.python)
    if runtime_env:
        all_options["runtime_env"] = runtime_env
    launch = _without_secrets(launch)
    actor = ray.remote(RayReplica).options(**all_options)
    return actor.remote(launch, host, bind_host, prepared, nodes)


def _without_secrets(launch: Launch) -> Launch:
    """What Ray is told: it keeps that as long as the actor is there, and secrets come later."""
    return replace(launch, secrets=NO_SECRETS, build=NO_SECRETS)


def create_standby(
    standby: Launch, host: str, options: Mapping[str, Any]
) -> "ActorHandle[RayStandby]":
    """Creates the actor of a standby (see `create`)."""
    all_options = {
        "name": PREFIX + standby.replica_id,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "max_concurrency": THREADS,
        "max_restarts": 0,  # another one follows
        **resource_options(standby),
        **options,
    }
    return ray.remote(RayStandby).options(**all_options).remote(standby, host)


def resource_options(launch: Launch) -> dict[str, Any]:
    """Ray's options about what a replica reserves."""
    options = {
        "num_cpus": launch.cpu,
        "num_gpus": launch.gpu,
        "resources": dict(launch.custom),
    }
    return options | ({"memory": launch.memory} if launch.memory else {})


class _RayProcess:
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
        options = self._options(On(standby.node_id), await self._places.alive())
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
        where: LogPlace = await _patiently(actor.where)
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
            self._choice = On(ready.node_id, hard=True)  # for it is ready only there
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
        await _ended(await self._actor())
        await self._choose(standbys)

    async def _lost_its_node(self) -> bool:
        """Whether it could not be placed because the node it had to go to is gone."""
        if not (isinstance(self._choice, On) and self._choice.hard):
            return False
        return not await self._is_alive(self._choice.node_id)

    def _options(self, choice: Choice, nodes: Sequence[Node]) -> dict[str, Any]:
        options = type_options(self._launch, choice, nodes)
        if isinstance(choice, On):
            strategy = NodeAffinitySchedulingStrategy(choice.node_id, soft=not choice.hard)
            options["scheduling_strategy"] = strategy
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
        outcome: Started | Failed = await _patiently(actor.start, *given)
        if isinstance(outcome, Failed) and self._preparing is not None and self._log is not None:
            self._preparing.forget(self._log.node_id)
        return outcome

    async def watch(self) -> str:
        """As of Process."""
        actor = await self._actor()
        reason: str = await _patiently(actor.watch)
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
            await _ended(actor)
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


async def _ended(actor: Any) -> None:
    """Kills an actor, and waits until Ray confirms it, which is when the resources are free."""
    await asyncio.to_thread(ray.kill, actor, no_restart=True)
    try:
        await result(actor.launch.remote(), ANSWER)
    except Unavailable as error:
        _log.debug("an actor has ended: %s", error.message)


def read_on_node(place: LogPlace, after: int, limit: int) -> "ray.ObjectRef[LogChunk | None]":
    """Reads a log in a task on its node; None if it is not there. Fails if the node is gone."""
    there = NodeAffinitySchedulingStrategy(place.node_id, soft=False)
    task = ray.remote(read_here).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
    return task.remote(place, after, limit)


async def _or_none(ref: "ray.ObjectRef[LogChunk | None]") -> LogChunk | None:
    try:
        chunk: LogChunk | None = await result(ref, ANSWER)
    except Unavailable as error:
        _log.debug("a log cannot be read: %s", error.message)
        return None
    return chunk


class _Unreachable(Unavailable):
    """An actor that may be alive cannot be reached, or does not answer in time."""


async def result(ref: "ray.ObjectRef[Any]", limit: float | None = None) -> Any:
    """What a method of an actor returns.

    Raises Unavailable with one line if it died, raised, or took longer than `limit` seconds, and
    _Unreachable if it may be alive.
    """
    try:
        async with asyncio.timeout(limit):
            return await asyncio.wrap_future(ref.future())
    except TimeoutError:
        raise _Unreachable(f"no answer within {limit:g} s") from None
    except ray.exceptions.ActorUnavailableError:
        raise _Unreachable("its process cannot be reached") from None
    except ray.exceptions.RayError as error:
        raise Unavailable(death(error)) from None


async def _patiently(method: Any, *arguments: Any) -> Any:
    """What a method of an actor returns that may be called again. As `_result`.

    The network may be to blame for a lost connection, and Ray finds out by itself whether the node
    is alive. Should that take longer than `UNREACHABLE`, this raises.
    """
    lost_at: float | None = None
    while True:
        asked_at = monotonic()
        try:
            return await result(method.remote(*arguments))
        except _Unreachable:
            now = monotonic()
            if lost_at is None or now - asked_at > UNREACHABLE:  # it was reached in between
                lost_at = now
            if now - lost_at > UNREACHABLE:
                raise
        await asyncio.sleep(RETRY_EVERY)


_DETAIL = re.compile(r"Worker exit detail: ([^\n]*)|The actor is dead because ([^\n]*)")


def death(error: Exception) -> str:
    """Why an actor died, in one line, from what Ray says about it."""
    text = str(error)
    if "its node has died" in text:
        return "its node died"
    if isinstance(error, ray.exceptions.RayTaskError) or "creation task" in text:
        return text.strip().splitlines()[-1].strip()
    if match := _DETAIL.search(text):
        return f"the process died: {(match[1] or match[2]).strip()}"
    return f"the process died: {first_line(error)}"


def first_line(error: Exception) -> str:
    """The first line of an error's text, or its type if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
