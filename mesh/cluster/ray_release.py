"""Releases on the nodes of a Ray cluster: tasks that prepare them, and the controller's side."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import ray
import ray.exceptions

from mesh.clock import Clock, monotonic
from mesh.cluster.answers import Refused, accept, answer
from mesh.cluster.ray_nodes import only_on
from mesh.control.plan import VersionDocument
from mesh.errors import Code, Internal, MeshError, Unavailable
from mesh.launch import NO_SECRETS, Secrets, Source
from mesh.nodes.describing import describe_here
from mesh.nodes.prepare import Fetch, Prepared, prepare
from mesh.nodes.settings import NodeSettings
from mesh.releases.contract import Release

FETCH_WAIT = 120.0
"""Seconds that the controller has to give a piece of an archive."""
TRUST = 60.0
"""Seconds for which a node is not asked again whether it has a release ready: so soon it does not
remove what was used."""
RETRIES = 2
"""Times that a task begins anew whose node or process died."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The actor that has the archives, by its name."""

    actor: str
    namespace: str

    def fetch(self) -> Fetch:
        """Reads archives through Ray, from any process of the cluster. Raises Unavailable."""
        actor: Any = None

        def fetched(digest: str, offset: int, limit: int) -> bytes:
            nonlocal actor
            try:
                actor = actor or ray.get_actor(self.actor, namespace=self.namespace)
                found = ray.get(actor.blob.remote(digest, offset, limit), timeout=FETCH_WAIT)
            except (ray.exceptions.RayError, ValueError) as error:
                line = next(iter(str(error).strip().splitlines()), type(error).__name__)
                raise Unavailable(f"the controller does not send it: {line}") from None
            piece: bytes = accept(found)
            return piece

        return fetched


@dataclass(frozen=True, slots=True)
class Ready:
    """A node that has a release ready."""

    node_id: str
    prepared: Prepared


def prepare_here(
    source: Source, settings: NodeSettings, origin: Origin, build: Secrets
) -> Iterator[str | Ready | Refused]:
    """In a task: tells what the node it runs on is at, then Ready or why not."""
    node_id = ray.get_runtime_context().get_node_id()
    try:
        for told in prepare(source, settings, origin.fetch(), build):
            yield Ready(node_id, told) if isinstance(told, Prepared) else told
    except MeshError as error:
        yield Refused(error.code.value, error.message)
    except Exception as error:  # noqa: BLE001  # errors leave tasks as values
        yield Refused(Code.INTERNAL.value, f"{type(error).__name__}: {error}")


class Preparation:
    """Prepares one release on one node; `note` is what that is at, in a few words."""

    def __init__(
        self,
        source: Source,
        build: Secrets,
        settings: NodeSettings,
        origin: Origin,
        wait: Callable[[Any], Any],
    ) -> None:
        self._source = source
        self._build = build
        self._settings = settings
        self._origin = origin
        self._wait = wait
        self.note = ""

    async def run(self, options: Mapping[str, Any]) -> Ready:
        """Prepares it on the node that Ray's `options` lead to.

        Raises:
            Unavailable: it cannot be prepared now.
            MeshError: it cannot run; the message says why.
        """
        task = ray.remote(prepare_here).options(
            num_returns="streaming", max_retries=RETRIES, **options
        )
        told = task.remote(self._source, self._settings, self._origin, self._build)
        is_over = False
        try:
            async for value in self._values(told):
                if isinstance(value, str):
                    self.note = value
                    continue
                is_over = True
                ready: Ready = accept(value)
                return ready
        finally:
            self.note = ""
            if not is_over:
                ray.cancel(told)
        raise Internal("preparing a release came to nothing")

    async def _values(self, stream: Any) -> AsyncIterator[Any]:
        async for each in stream:
            yield await self._wait(each)


class Preparations:
    """Which nodes have which releases ready. For one event loop.

    Replicas that go to one node wait for one preparation. `wait` gives what a reference of Ray
    stands for, and raises Unavailable.
    """

    def __init__(
        self,
        settings: NodeSettings,
        origin: Origin,
        wait: Callable[[Any], Any],
        clock: Clock = monotonic,
    ) -> None:
        self._settings = settings
        self._origin = origin
        self._wait = wait
        self._clock = clock
        self._ready: dict[tuple[str, str], tuple[Ready, float]] = {}
        self._running: dict[tuple[str, str], tuple[Preparation, asyncio.Task[Ready]]] = {}

    def of(self, source: Source, build: Secrets = NO_SECRETS) -> "Preparing":
        """For one replica of a release, of whose requirements the installation gets `build`."""
        return Preparing(self, Order(source, build))

    def begun(self, order: "Order") -> Preparation:
        """A preparation that is for one replica alone."""
        return Preparation(order.source, order.build, self._settings, self._origin, self._wait)

    def keep(self, order: "Order", ready: Ready) -> None:
        """A node has a release ready."""
        self._ready[ready.node_id, order.key] = (ready, self._clock() + TRUST)

    def forget(self, order: "Order", node_id: str) -> None:
        """A replica could not start there: the node is asked again before the next one does."""
        self._ready.pop((node_id, order.key), None)

    def known(self, order: "Order", node_id: str) -> Ready | None:
        """What the node had ready a moment ago, if nothing has failed there since."""
        ready, until = self._ready.get((node_id, order.key), (None, 0.0))
        return ready if self._clock() < until else None

    def shared(self, order: "Order", node_id: str) -> tuple[Preparation, asyncio.Task[Ready]]:
        """The preparation on a node that all its replicas wait for."""
        key = (node_id, order.key)
        found = self._running.get(key)
        if found is None:
            preparation = self.begun(order)
            there = only_on(node_id)
            run = preparation.run({"num_cpus": 0, "scheduling_strategy": there})
            task = asyncio.get_running_loop().create_task(run, name=f"prepare/{node_id}")
            found = self._running[key] = (preparation, task)
            task.add_done_callback(lambda done: self._over(order, key, done))
        return found

    def _over(self, order: "Order", key: tuple[str, str], task: "asyncio.Task[Ready]") -> None:
        del self._running[key]
        # Asked for its exception here, for all who waited may have left.
        if not task.cancelled() and task.exception() is None:
            self.keep(order, task.result())

    async def close(self) -> None:
        """Ends what goes on."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Preparing:
    """What one replica of a release waits for before it is made."""

    def __init__(self, preparations: Preparations, order: "Order") -> None:
        self._preparations = preparations
        self._order = order
        self._now: Preparation | None = None

    @property
    def note(self) -> str:
        """What its node is at, in a few words; empty if nothing has to be waited for."""
        return self._now.note if self._now is not None else ""

    async def on(self, node_id: str) -> Ready:
        """Has a node get ready. Raises as `Preparation.run`."""
        known = self._preparations.known(self._order, node_id)
        if known is not None:
            return known
        self._now, task = self._preparations.shared(self._order, node_id)
        return await asyncio.shield(task)  # others wait for it as well

    async def anywhere(self, options: Mapping[str, Any]) -> Ready:
        """Has a node get ready that Ray finds by its `options`. Raises as `Preparation.run`."""
        self._now = self._preparations.begun(self._order)
        ready = await self._now.run(options)
        self._preparations.keep(self._order, ready)
        return ready

    def forget(self, node_id: str) -> None:
        """The replica could not start on that node."""
        self._preparations.forget(self._order, node_id)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be ready on nodes, and what the installation of its requirements gets."""

    source: Source
    build: Secrets = field(default=NO_SECRETS, repr=False)

    @property
    def key(self) -> str:
        """Tells what is to be ready from all else: the archive, its models, what installs it."""
        models = sorted(f"{tag}={at}" for tag, at in self.source.models.items())
        return " ".join((self.source.release, *models, self.build.fingerprint()))


def describe_in_task(source: Source, settings: NodeSettings, origin: Origin, build: Secrets) -> Any:
    """In a task: the description of a release as plain values, or Refused."""
    return answer(lambda: describe_here(source, settings, origin.fetch(), build))


class RayBuilder:
    """Makes releases ready on nodes of a Ray cluster (see `releases.contract.Builder`)."""

    def __init__(self, settings: NodeSettings, origin: Origin, wait: Callable[[Any], Any]) -> None:
        self._settings = settings
        self._origin = origin
        self._wait = wait

    async def describe(self, release: Release, build: Secrets = NO_SECRETS) -> VersionDocument:
        """As of Builder."""
        source = Source(release=release.digest, models=dict(release.models))
        task = ray.remote(describe_in_task).options(num_cpus=0, max_retries=RETRIES)
        found = accept(await self._wait(task.remote(source, self._settings, self._origin, build)))
        return VersionDocument.model_validate(found)
