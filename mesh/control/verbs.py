"""What the control API asks of the controller."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from mesh.config import EndpointConfig
from mesh.control.latest import Latest
from mesh.control.observed import ObservedReplica
from mesh.control.outcomes import VersionMetrics
from mesh.control.plan import Application
from mesh.control.records import (
    DEFAULT_ORGANIZATION,
    Born,
    DeploymentRecord,
    EndpointRecord,
    Event,
    RevisionRecord,
)
from mesh.control.status import DeploymentStatus
from mesh.traffic.snapshot import Snapshot


class LogChunk(Protocol):
    """A piece of a replica's log; `next` is what to ask for after it."""

    @property
    def text(self) -> str:
        """What was written."""
        ...

    @property
    def next(self) -> int:
        """The place in the log where the next piece begins."""
        ...


class Canaries(Protocol):
    """The versions of a deployment by name: weights in percent, and what came of them."""

    @property
    def weights(self) -> Mapping[str, int]:
        """Percent by version, `main` among them."""
        ...

    @property
    def metrics(self) -> Mapping[str, VersionMetrics]:
        """By version; those without a request may be missing."""
        ...

    @property
    def progression(self) -> Mapping[str, Any]:
        """How far the progression is; empty if there is none."""
        ...

    @property
    def reason(self) -> str:
        """What the progression waits for, or why it ended."""
        ...


class Verbs(Protocol):
    """What can be done with a mesh. All raise MeshError; doing a thing twice does it once.

    `by` is the name of the user who asks for a change (empty: nobody known).
    """

    snapshots: Latest[Snapshot]
    """The routing tables that are published."""

    @property
    def opened(self) -> bool:
        """Whether what was kept is read, and what runs adopted."""
        ...

    async def until_opened(self) -> None:
        """Returns when it is `opened`."""
        ...

    def unchanged(self) -> AbstractAsyncContextManager[None]:
        """While the block lasts, what is wanted of deployments and endpoints stays as it is."""
        ...

    async def apply(
        self,
        application: Application,
        code: Mapping[str, bytes] | None = None,
        *,
        cause: str = "",
        by: str = "",
        organization: str = DEFAULT_ORGANIZATION,
        born: Born | None = None,
        settle: Callable[[Application], Awaitable[Application]] | None = None,
    ) -> int:
        """Creates or changes a deployment; returns its revision.

        New ones are of `organization`, `born` before if that says so. What `settle`
        makes of the application is applied before anybody is `unchanged` again.
        """
        ...

    def status(self, name: str = "") -> tuple[DeploymentStatus, ...]:
        """How far deployments are."""
        ...

    def deployment(self, name: str) -> DeploymentRecord:
        """One deployment as it is wanted."""
        ...

    def deployments(self) -> tuple[DeploymentRecord, ...]:
        """All deployments."""
        ...

    def current(self, name: str) -> RevisionRecord:
        """What a deployment is set to."""
        ...

    def kept(self, name: str) -> tuple[Application, dict[str, bytes]]:
        """What it was made of when it was last set, with its code by version."""
        ...

    async def revisions(
        self, name: str, start: int = 0, count: int = 100
    ) -> tuple[RevisionRecord, ...]:
        """What it was set to, the newest first."""
        ...

    async def revision(self, name: str, number: int) -> RevisionRecord:
        """One of these."""
        ...

    async def rollback(self, name: str, number: int = 0, *, by: str = "") -> int:
        """Sets it to what it was; returns the new revision."""
        ...

    async def terminate(self, name: str, *, by: str = "") -> None:
        """Stops all of it, and keeps what it is set to."""
        ...

    async def start(self, name: str, *, by: str = "") -> None:
        """Starts what was terminated."""
        ...

    async def restart(self, name: str, *, by: str = "") -> int:
        """Replaces all replicas; returns the new revision."""
        ...

    async def delete(self, name: str, *, by: str = "") -> None:
        """Stops and forgets it."""
        ...

    async def set_labels(self, name: str, labels: Mapping[str, str], *, by: str = "") -> Any:
        """Replaces its labels."""
        ...

    async def set_canary(self, name: str, weights: Mapping[str, int], *, by: str = "") -> int:
        """Gives canaries other percentages; returns the new revision."""
        ...

    async def promote(self, name: str, version: str = "", *, by: str = "") -> int:
        """Makes a canary (empty: the only one) `main`; returns the new revision."""
        ...

    async def abort(self, name: str, version: str = "", *, by: str = "") -> int:
        """Takes the weight of a canary away, or of all; returns the new revision."""
        ...

    def canary_status(self, name: str) -> Canaries:
        """How its versions do."""
        ...

    async def events(self, name: str = "", start: int = 0, count: int = 100) -> tuple[Event, ...]:
        """What happened to it, the newest first."""
        ...

    def replicas(self, name: str = "") -> Sequence[ObservedReplica]:
        """What runs of it."""
        ...

    async def logs(self, replica_id: str, after: int = -1, limit: int = 65536) -> LogChunk:
        """What a replica wrote after a place (-1: its last lines), `limit` bytes at most."""
        ...

    async def renew_secret_key(self) -> int:
        """Has the store take a new secret key; returns how many secrets it is for."""
        ...

    def endpoints(self) -> tuple[EndpointRecord, ...]:
        """All endpoints."""
        ...

    def endpoint(self, name: str) -> EndpointRecord:
        """One endpoint."""
        ...

    async def apply_endpoint(
        self,
        name: str,
        config: EndpointConfig,
        *,
        by: str = "",
        organization: str = DEFAULT_ORGANIZATION,
    ) -> Any:
        """Creates or changes an endpoint, new ones in `organization`."""
        ...

    async def delete_endpoint(self, name: str, *, by: str = "") -> None:
        """Forgets it."""
        ...

    async def start_endpoint(self, name: str, *, by: str = "") -> None:
        """Has it take requests again."""
        ...

    async def terminate_endpoint(self, name: str, *, by: str = "") -> None:
        """Has it take none, and keeps what it is set to."""
        ...
