"""What a store keeps besides deployments and endpoints: users, tokens, secrets, releases and more.

Entries of all kinds have one form, so that a new kind needs no migration; what is in the document
of a kind is said where the kind is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from mesh.control.records import DEFAULT_ORGANIZATION, Document


class Kind(StrEnum):
    """What an entry is. In brackets: its scope, where it has one."""

    ORGANIZATION = "organization"
    CLUSTER = "cluster"
    USER = "user"
    MEMBER = "member"
    """[name of a cluster, or empty for the organization] A user's role; named by the user."""
    TOKEN = "api_token"  # noqa: S105  # a kind
    """Named by the SHA-256 of the token, in hex; the token itself is nowhere."""
    INVITATION = "invitation"
    """Named by the SHA-256 of its code, in hex."""
    SESSION = "session"
    """A browser in which a user is logged in; named by the SHA-256 of its token, in hex."""
    SECRET = "secret"  # noqa: S105  # a kind
    BENTO_REPOSITORY = "bento_repository"
    BENTO = "bento"
    """[repository] A release; named by its version."""
    MODEL_REPOSITORY = "model_repository"
    MODEL = "model"
    """[repository] Named by its version."""
    UPLOAD = "upload"
    """Parts of an archive that is being uploaded; named by the id of the upload."""
    PENDING = "pending"
    """A deployment that waits for its release to be built; named by the deployment."""
    CODESPACE = "codespace"
    """The files of a deployment that is being developed; named by the deployment."""
    DESCRIBED = "described"
    """What a release was found to be; named by the SHA-256 of all that it is made of."""
    INSTANCE_TYPE = "resource_instance"
    GPU_CONFIG = "gpu_config"
    LIMIT_GROUP = "limit_group"
    LABEL = "label"
    SETTING = "setting"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is kept. `name` is unique in its kind, organization and scope.

    `uid` is unique in its kind; times are seconds since the Unix epoch. `secret` is kept
    encrypted, with the key of the store (see `sealing`), and is in no repr.
    """

    kind: Kind
    name: str
    uid: str
    created_at: float
    updated_at: float
    document: Document = field(default_factory=dict)
    scope: str = ""
    organization: str = DEFAULT_ORGANIZATION
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What no other entry has."""
        return (self.kind.value, self.organization, self.scope, self.name)


@dataclass(frozen=True, slots=True)
class Put:
    """Writes an entry over what has its key; with `is_new` there must be nothing."""

    entry: Entry
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """Deletes an entry; one that is not there is no error."""

    entry: Entry


class Catalogue(Protocol):
    """Entries of a store; raises what the methods of `Store` raise."""

    async def entry(
        self, kind: Kind, name: str, *, scope: str = "", organization: str = DEFAULT_ORGANIZATION
    ) -> Entry | None:
        """The entry of this name; None if there is none."""
        ...

    async def entry_of(self, kind: Kind, uid: str) -> Entry | None:
        """The entry of this uid, whatever its organization; None if there is none."""
        ...

    async def entries(
        self,
        kind: Kind,
        *,
        scope: str | None = None,
        organization: str | None = DEFAULT_ORGANIZATION,
        search: str = "",
        start: int = 0,
        count: int | None = None,
    ) -> tuple[Entry, ...]:
        """Entries, the newest first (of one time: by uid, backwards), without the first `start`.

        At most `count` (None: all) of those in `scope` and `organization` (None: in any) whose
        name has `search` in it, to the letter.
        """
        ...

    async def count_entries(
        self,
        kind: Kind,
        *,
        scope: str | None = None,
        organization: str | None = DEFAULT_ORGANIZATION,
        search: str = "",
    ) -> int:
        """How many there are of these."""
        ...

    async def write(self, *changes: Put | Remove) -> None:
        """Writes all changes, in their order, or, if it raises, none.

        Documents come back as JSON has them: tuples as lists.

        Raises:
            AlreadyExists: what should be new is there, or another entry of the kind has the uid;
                the message names kind and name.
            FailedPrecondition: another controller has taken over, or there is a secret and no key.
            InvalidArgument: a document is not JSON, or no database takes a name, scope,
                organization or uid: longer than 512 bytes, with NUL or lone surrogates.
        """
        ...


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that somebody did through an API, whether it succeeded or not (an audit event).

    `resource` is what it was done to, as plain values without secrets; `operation` a word such as
    `created`; `status` `success` or `failed`, with `reason` then. `token` is the name of the
    token that was shown.
    """

    at: float
    uid: str
    organization: str
    user: str
    token: str
    resource_type: str
    name: str
    operation: str
    status: str
    reason: str = ""
    resource: Document = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deeds:
    """Which deeds are meant; empty: any. Times are seconds since the Unix epoch.

    Of those with several values, one must be that of the deed. All of `words` must be in its name,
    to the letter.
    """

    organization: str = ""
    users: tuple[str, ...] = ()
    resource_types: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    since: float = 0.0
    until: float = float("inf")
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class Used:
    """What a deployment used in one hour, which began at `hour` (seconds since the Unix epoch).

    `replica_seconds` by instance type (empty: without one). Those of one deployment and hour add
    up.
    """

    hour: float
    organization: str
    deployment: str
    instance_type: str
    replica_seconds: float = 0.0
    requests: int = 0
    errors: int = 0


class Journal(Protocol):
    """What was done, and what was used; raises what the methods of `Store` raise."""

    async def note(self, *deeds: Deed) -> None:
        """Keeps deeds, each uid once. Of all, the latest 100 000 are kept (see Retention).

        In texts, what no database takes (NUL, lone surrogates) is replaced.
        """
        ...

    async def deeds(self, which: Deeds, start: int = 0, count: int = 100) -> tuple[Deed, ...]:
        """Deeds, the last noted first (or the first), without the first `start`."""
        ...

    async def count_deeds(self, which: Deeds) -> int:
        """How many there are."""
        ...

    async def add_used(self, *used: Used) -> None:
        """Adds what was used to what is kept of the same hour.

        Hours more than 400 days before the latest are forgotten (see Retention).
        """
        ...

    async def used(
        self, since: float, until: float, *, organization: str = "", deployment: str = ""
    ) -> tuple[Used, ...]:
        """What was used in the hours from `since` until before `until`, in the order of hours.

        Within an hour by organization, deployment and instance type.
        """
        ...
