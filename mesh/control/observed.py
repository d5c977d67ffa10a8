"""What runs: one value per replica, as the cluster sees it."""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """How far the life of a replica is.

    STARTING ─► READY ─► DRAINING ─► DRAINED ─► GONE
        └─────────┴─────────┴──► FAILED
    """

    STARTING = "starting"
    """Waits for its place, or loads its code. `reason` says what it waits for, if anything."""
    READY = "ready"
    """Takes calls at its address."""
    DRAINING = "draining"
    """Takes no new calls and finishes those it has."""
    DRAINED = "drained"
    """Has no calls left, or has used up its time to finish them; can be stopped."""
    FAILED = "failed"
    """Ended by itself: could not start, became unhealthy, or died. Nothing of it is left."""
    GONE = "gone"
    """Ended because it was told to. Nothing of it is left."""


@dataclass(frozen=True, slots=True)
class ObservedReplica:
    """One replica.

    `since` is when the phase began, in seconds on the clock of whoever observes; `lived` is how
    long a FAILED replica had been ready, in seconds, 0 if it never was. `reason` is one line for
    people: why it failed, or what it waits for. `node` names the node it runs on, for people; empty
    before it has its place.
    """

    id: str
    deployment: str
    version_id: str
    service: str
    phase: Phase
    address: str = ""
    reason: str = ""
    since: float = 0.0
    lived: float = 0.0
    node: str = ""
