"""A deployment as it is shown: what the controller has of it, and what it waits for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mesh.config import MAIN
from mesh.control.records import DeploymentRecord, Document, Intent, RevisionRecord
from mesh.control.status import DeploymentPhase, DeploymentStatus
from mesh.releases.pending import Pending, Stage

_STAGES = {
    Stage.BUILDING: DeploymentPhase.DEPLOYING.label,
    Stage.FAILED: DeploymentPhase.FAILED.label,
    Stage.TERMINATED: DeploymentPhase.TERMINATED.label,
}


@dataclass(frozen=True, slots=True)
class ShownRevision:
    """What a deployment is, was or will be set to; `config` is the document of its config."""

    number: int
    uid: str
    created_at: float
    creator: str
    config: Document
    is_active: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A deployment with its last revision. `status` is the word that clients know."""

    name: str
    uid: str
    created_at: float
    updated_at: float
    organization: str
    creator: str
    status: str
    revision: ShownRevision
    reason: str = ""
    replicas: Mapping[str, int] = field(default_factory=dict)

    @property
    def config(self) -> Document:
        """What it is set to."""
        return self.revision.config


def shown(
    record: DeploymentRecord | None,
    current: RevisionRecord | None,
    status: DeploymentStatus | None,
    pending: Pending | None,
) -> Shown:
    """A deployment of which there is a record, or something that is pending, or both.

    What it waits for goes before what it is: whoever set it so asks what becomes of that.
    """
    if pending is not None:
        number = current.number + 1 if current is not None else 1
        return _of_pending(pending, record.uid if record is not None else pending.uid, number)
    if record is None or current is None:
        raise ValueError("there is nothing to show")
    return Shown(
        record.name,
        record.uid,
        record.created_at,
        record.updated_at,
        record.organization,
        record.creator,
        status_word(record, status),
        revision_of(current, is_active=True),
        status.reason if status else "",
        _ready(status),
    )


def _of_pending(pending: Pending, uid: str, number: int) -> Shown:
    revision = ShownRevision(
        number,
        f"{pending.uid}-{number}",
        pending.updated_at,
        pending.by,
        pending.config,
        is_active=False,
    )
    return Shown(
        pending.name,
        uid,
        pending.created_at,
        pending.updated_at,
        pending.organization,
        pending.creator,
        _STAGES[pending.stage],
        revision,
        pending.reason,
    )


def revision_of(record: RevisionRecord, *, is_active: bool) -> ShownRevision:
    """A revision that is kept."""
    return ShownRevision(
        record.number, record.uid, record.created_at, record.creator, record.config, is_active
    )


def status_word(record: DeploymentRecord, status: DeploymentStatus | None) -> str:
    """The status that clients are told.

    They take `unhealthy` for the end of a rollout, so what is not up yet as a whole is not that.
    """
    if record.intent is Intent.DELETE:
        return DeploymentPhase.TERMINATING.label
    if status is None:
        return "unknown"
    if status.phase is DeploymentPhase.UNHEALTHY and _is_rolling(record, status):
        return DeploymentPhase.DEPLOYING.label
    return status.phase.label


def _is_rolling(record: DeploymentRecord, status: DeploymentStatus) -> bool:
    return any(
        version.replacing or version.id not in record.standing.get(version.name, ())
        for version in status.versions
    )


def _ready(status: DeploymentStatus | None) -> Mapping[str, int]:
    versions = status.versions if status is not None else ()
    for version in versions:
        if version.name == MAIN:
            return {service.name: service.ready for service in version.services}
    return {}
