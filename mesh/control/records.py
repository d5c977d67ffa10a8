"""What the controller must not forget, as plain values. Times are seconds since the Unix epoch.

Documents are JSON values; `mesh.control.plan` gives them their meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

Document = Mapping[str, Any]

DEFAULT_ORGANIZATION = "default"
"""The name of the organization that is there from the start."""
DELETED = "deleted"
"""The status of an organization that is over."""
CLUSTER = "default"
"""The name of the cluster that a control plane has: where all of its nodes are."""


class Intent(StrEnum):
    """What a user wants of a deployment or an endpoint as a whole."""

    RUN = "run"
    TERMINATE = "terminate"
    """Nothing of it runs; all of it is kept, and can be started again."""
    DELETE = "delete"
    """To be forgotten as soon as nothing of it runs."""


class Born(NamedTuple):
    """The uid that a deployment has had since `at` (Unix time): it may be long on its way here."""

    uid: str
    at: float


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """What one version id stands for, for all time: a graph, its source, its settings.

    `document` is a `plan.VersionDocument`; `code` the entry class as cloudpickle writes it, empty
    for sources that name a target.
    """

    deployment: str
    id: str
    document: Document
    code: bytes = b""


@dataclass(frozen=True, slots=True)
class RevisionRecord:
    """One change of a deployment. Nothing in it ever changes.

    `number` counts from 1. `config` is the `DeploymentConfig`. `versions` has the version id of
    `main` and of each canary by name. `generation` counts restarts: it is part of version ids.
    `cause` says in a few words what the change was, such as "rollback to 3"; `creator` is the name
    of the user who made it (empty: nobody known).
    """

    deployment: str
    number: int
    uid: str
    created_at: float
    config: Document
    versions: Mapping[str, str]
    generation: int = 0
    cause: str = ""
    creator: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """A deployment as it is wanted now: the revision with `revision` as its number.

    `standing` has, by version name, the ids of the releases that serve under it, oldest first: more
    than one while a rollout goes on. `progress` is how far the canary's progression is; empty if
    none goes on. `creator` is the name of the user who made it (empty: nobody known), and
    `organization` that of whose it is.
    """

    name: str
    uid: str
    created_at: float
    updated_at: float
    revision: int
    intent: Intent = Intent.RUN
    standing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    progress: Document = field(default_factory=dict)
    creator: str = ""
    organization: str = DEFAULT_ORGANIZATION


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """An endpoint. `config` is the `EndpointConfig`, without keys of upstreams.

    `keys` are the keys of upstreams by their place in the config; a store keeps them encrypted.
    """

    name: str
    uid: str
    created_at: float
    updated_at: float
    config: Document
    intent: Intent = Intent.RUN
    keys: Mapping[int, str] = field(default_factory=dict, repr=False)
    creator: str = ""
    organization: str = DEFAULT_ORGANIZATION


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a deployment or an endpoint; the other name is empty.

    `kind` is `change` for what a user did, with what in `reason`; `status` for a new `status` of a
    deployment with its `reason`; and `warning` for what a release wants and does not get.
    `revision` is the one that was current (0: none), `by` the name of the user who asked for a
    change (empty: nobody known, or the mesh did it by itself), and `organization` that of whose it
    happened to (empty: not known): another one may have the name later.
    """

    at: float
    kind: str
    deployment: str = ""
    endpoint: str = ""
    revision: int = 0
    status: str = ""
    reason: str = ""
    by: str = ""
    organization: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction writes. Records replace those with the same key.

    Deleting a deployment deletes its revisions and versions, and nothing else; events stay.
    """

    deployments: tuple[DeploymentRecord, ...] = ()
    revisions: tuple[RevisionRecord, ...] = ()
    versions: tuple[VersionRecord, ...] = ()
    endpoints: tuple[EndpointRecord, ...] = ()
    events: tuple[Event, ...] = ()
    deleted_deployments: tuple[str, ...] = ()
    deleted_endpoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """What a controller needs at hand: everything that is current, no history.

    `revisions` has the current one of each deployment, by its name; `versions`, by deployment and
    id, those that a current revision or a standing release names.
    """

    deployments: Mapping[str, DeploymentRecord] = field(default_factory=dict)
    revisions: Mapping[str, RevisionRecord] = field(default_factory=dict)
    versions: Mapping[tuple[str, str], VersionRecord] = field(default_factory=dict)
    endpoints: Mapping[str, EndpointRecord] = field(default_factory=dict)
