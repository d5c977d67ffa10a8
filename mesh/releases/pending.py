"""A deployment as it is wanted, while its release is made ready or could not be."""

from dataclasses import dataclass, replace
from enum import StrEnum

from mesh.control.records import Document
from mesh.control.store.catalogue import Entry, Kind


class Stage(StrEnum):
    """How far it is."""

    BUILDING = "building"
    FAILED = "failed"
    TERMINATED = "terminated"
    """It never ran, and is not to."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What a deployment shall be. `config` is the document of its `DeploymentConfig`.

    `creator` is who made the deployment, `by` who wants this of it.
    """

    name: str
    uid: str
    created_at: float
    updated_at: float
    organization: str
    config: Document
    creator: str
    by: str
    stage: Stage = Stage.BUILDING
    reason: str = ""
    cause: str = ""

    def at(self, stage: Stage, now: float, reason: str = "") -> "Pending":
        """The same, further on."""
        return replace(self, stage=stage, reason=reason, updated_at=now)

    def entry(self) -> Entry:
        """How it is kept."""
        document = {
            "config": self.config,
            "creator": self.creator,
            "by": self.by,
            "stage": self.stage.value,
            "reason": self.reason,
            "cause": self.cause,
        }
        return Entry(
            Kind.PENDING,
            self.name,
            self.uid,
            self.created_at,
            self.updated_at,
            document,
            organization=self.organization,
        )


def pending_of(entry: Entry) -> Pending:
    """What is kept as `entry`."""
    kept = entry.document
    return Pending(
        entry.name,
        entry.uid,
        entry.created_at,
        entry.updated_at,
        entry.organization,
        kept["config"],
        kept["creator"],
        kept["by"],
        Stage(kept["stage"]),
        kept["reason"],
        kept["cause"],
    )
