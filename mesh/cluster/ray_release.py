"""Releases on the nodes of a Ray cluster: tasks that prepare them, and the controller's side."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ray
import ray.exceptions

from mesh.cluster.answers import Refused, accept, answer
from mesh.control.plan import VersionDocument
from mesh.errors import Code, Internal, MeshError, Unavailable
from mesh.launch import Source
from mesh.nodes.describing import describe_here
from mesh.nodes.prepare import Fetch, Prepared, prepare
from mesh.nodes.settings import NodeSettings
from mesh.releases.contract import Release

FETCH_WAIT = 120.0
"""Seconds that the controller has to give a piece of an archive."""
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
    source: Source, settings: NodeSettings, origin: Origin
) -> Iterator[str | Ready | Refused]:
    """In a task: tells what the node it runs on is at, then Ready or why not."""
    node_id = ray.get_runtime_context().get_node_id()
    try:
        for told in prepare(source, settings, origin.fetch()):
            yield Ready(node_id, told) if isinstance(told, Prepared) else told
    except MeshError as error:
        yield Refused(error.code.value, error.message)
    except Exception as error:  # noqa: BLE001  # errors leave tasks as values
        yield Refused(Code.INTERNAL.value, f"{type(error).__name__}: {error}")


class Preparation:
    """Prepares one release for one replica; `note` is what it is at, in a few words.

    `wait` gives what a reference of Ray stands for, and raises Unavailable.
    """

    def __init__(
        self,
        source: Source,
        settings: NodeSettings,
        origin: Origin,
        wait: Callable[[Any], Any],
    ) -> None:
        self._source = source
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
        told = task.remote(self._source, self._settings, self._origin)
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


def describe_in_task(source: Source, settings: NodeSettings, origin: Origin) -> Any:
    """In a task: the description of a release as plain values, or Refused."""
    return answer(lambda: describe_here(source, settings, origin.fetch()))


class RayBuilder:
    """Makes releases ready on nodes of a Ray cluster (see `releases.contract.Builder`)."""

    def __init__(self, settings: NodeSettings, origin: Origin, wait: Callable[[Any], Any]) -> None:
        self._settings = settings
        self._origin = origin
        self._wait = wait

    async def describe(self, release: Release) -> VersionDocument:
        """As of Builder."""
        source = Source(release=release.digest, models=dict(release.models))
        task = ray.remote(describe_in_task).options(num_cpus=0, max_retries=RETRIES)
        found = accept(await self._wait(task.remote(source, self._settings, self._origin)))
        return VersionDocument.model_validate(found)
