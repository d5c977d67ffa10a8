"""What the controller asks of a cluster. No ray in here.

`tests/cluster/contract_checks.py` is the contract as tests; every cluster passes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mesh.control.observed import ObservedReplica
from mesh.control.placement import Node
from mesh.control.standby import Warm
from mesh.launch import Launch

DRAIN_TIMEOUT = 30.0
"""Seconds a replica has to finish its calls when it is drained."""
LOG_CHUNK = 64 * 2**10
"""Bytes of a replica's log that are read at once."""


@dataclass(frozen=True, slots=True)
class Started:
    """A replica is up; `address` is `host:port` of its link.

    `draining` says that it takes no new calls any more, because it was told so before.
    """

    address: str
    draining: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A replica could not start; `reason` is one line for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of what a replica's process wrote; `next` is where the following one begins."""

    text: str
    next: int


class Cluster(Protocol):
    """Starts, watches and stops replicas. For one event loop; only `adopt` waits for replicas."""

    async def adopt(self) -> None:
        """Takes over the replicas that an earlier controller left running. Called once, first.

        Those that took calls are READY when this returns, so that callers never hear of fewer.
        """
        ...

    async def start(self, launch: Launch) -> None:
        """Begins to start a replica; it is observed from now on."""
        ...

    async def refuse(self, launch: Launch, reason: str) -> None:
        """Has a replica that cannot even begin to start become FAILED, with the reason."""
        ...

    def observe(self, deployment: str = "") -> Sequence[ObservedReplica]:
        """The replicas of `deployment`, or of all, that are not forgotten, in the order of ids.

        The very same object as before, if nothing has changed, lets the controller do less.
        """
        ...

    async def drain(self, replica_id: str, timeout_s: float = DRAIN_TIMEOUT) -> None:
        """Begins to drain a replica: it becomes DRAINED when idle, or after `timeout_s` seconds.

        Of a replica that is not READY, or not there, this does nothing.
        """
        ...

    async def stop(self, replica_id: str) -> None:
        """Begins to end a replica, whatever it does; it becomes GONE. Twice is as good as once."""
        ...

    def forget(self, replica_id: str) -> None:
        """Drops the record of a replica that is FAILED or GONE; does nothing for others."""
        ...

    async def logs(self, replica_id: str, after: int = -1, limit: int = LOG_CHUNK) -> LogChunk:
        """What the process of a replica wrote on its standard output and error.

        `after` is the `next` of the chunk before; -1 means the end of the log, in whole lines. At
        most `limit` bytes; an empty text means that there is nothing new. The log of a replica
        that has ended, even if it is forgotten, can be read as long as its node is there.

        Raises:
            NotFound: there is no such replica, and none of those that ended lately is it.
            Unavailable: the log cannot be reached.
        """
        ...

    async def nodes(self) -> Sequence[Node]:
        """The nodes that are alive; none where resources are not counted.

        Raises:
            Unavailable: nobody tells.
        """
        ...

    async def keep_warm(self, wanted: Mapping[str, Warm]) -> None:
        """Begins to keep standbys, by instance type, instead of what was wanted before.

        A replica that reserves the same becomes the process of one; another then follows. They are
        no replicas to `observe`, have no room that a replica needs, and end with `close`.

        Raises:
            FailedPrecondition: this cluster has none.
        """
        ...

    def warm(self) -> Mapping[str, int]:
        """How many standbys are ready, by instance type; types without one are not there."""
        ...

    async def changed(self) -> frozenset[str]:
        """Waits until `observe` differs from what it was when this last returned.

        Returns the deployments whose replicas have changed.
        """
        ...

    async def close(self) -> None:
        """Stops watching. The replicas run on, if they can."""
        ...
