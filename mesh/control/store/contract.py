"""What every store of records keeps to."""

from dataclasses import dataclass
from typing import Protocol

from mesh.control.records import Change, Event, RevisionRecord, State, VersionRecord
from mesh.control.store.catalogue import Catalogue, Journal


@dataclass(frozen=True, slots=True)
class Retention:
    """How much history a store keeps at most; the oldest is forgotten when there is new one.

    Of events, `of_each` are those of one kind about one deployment or endpoint, `in_all` all
    together. `used_for` is for how long what was used is kept, in seconds.
    """

    of_each: int = 1_000
    in_all: int = 100_000
    deeds: int = 100_000
    used_for: float = 400 * 86_400.0


class Store(Protocol):
    """Keeps the records of one mesh, for one controller at a time.

    Whoever opens a store takes it over: a store object that is not the latest opened can still be
    read from, but commits no more. All methods raise Unavailable if the database cannot be reached
    or is busy, and Internal if it fails otherwise, in one line that names the store without its
    password. For one event loop; calls are done one after the other, in order.
    """

    @property
    def catalogue(self) -> Catalogue:
        """What it keeps besides deployments and endpoints."""
        ...

    @property
    def journal(self) -> Journal:
        """What was done, and what was used."""
        ...

    async def load(self) -> State:
        """Everything that is current, as of one moment; an empty State if nothing was committed.

        What it reads does not grow with history.

        Raises:
            FailedPrecondition: the secret key at hand does not decrypt the keys of an endpoint.
        """
        ...

    async def commit(self, change: Change) -> None:
        """Writes all of `change` or, if it raises, nothing of it.

        What is deleted goes first, then records replace those with the same key; of two with one
        key in `change`, the last counts. The same change again changes nothing, events included.
        When this returns, the change survives whatever the store survives: a SQL store SIGKILL
        and, with SQLite, loss of power (PostgreSQL: as its `synchronous_commit` says). Unavailable
        leaves open whether it was written, and so does cancelling; commit it again then.

        Documents come back as JSON has them: tuples as lists. In texts of events and causes, what
        no database takes (NUL, lone surrogates) is replaced.

        Raises:
            InvalidArgument: a document is not JSON.
            FailedPrecondition: another controller has taken over, a revision or version is of a
                deployment that does not exist, or there is no secret key to encrypt keys with.
        """
        ...

    async def revisions(
        self, deployment: str, *, start: int = 0, count: int = 100
    ) -> tuple[RevisionRecord, ...]:
        """The revisions of a deployment, newest first, without the first `start`.

        At most `count` of them; none if there is no such deployment.
        """
        ...

    async def count_revisions(self, deployment: str) -> int:
        """How many revisions a deployment has; 0 if there is no such deployment."""
        ...

    async def revision(
        self, deployment: str, number: int
    ) -> tuple[RevisionRecord, tuple[VersionRecord, ...]]:
        """One revision, and the versions it names, each once, in its order.

        Raises:
            NotFound: there is no such revision.
        """
        ...

    async def events(
        self,
        *,
        deployment: str = "",
        endpoint: str = "",
        organization: str = "",
        start: int = 0,
        count: int = 100,
    ) -> tuple[Event, ...]:
        """Events, the last committed first, without the first `start`; at most `count`.

        Those of `deployment`, of `endpoint`, of what `organization` has or nobody is known to have;
        empty: of any. How many are kept: see Retention.
        """
        ...

    async def rotate(self) -> int:
        """Encrypts all secrets anew with the first of the secret keys; 0 where none is encrypted.

        Returns the number of endpoints whose keys and of entries whose secrets these are. One
        transaction. A store with several secret keys has done it by the time it is open.

        Raises:
            FailedPrecondition: another controller has taken over, or no secret key decrypts the
                keys of an endpoint or the secret of an entry.
        """
        ...

    async def renew_key(self) -> int:
        """Has a new secret key of its own making from now on, and nothing that the old one opens.

        Returns what `rotate` does. Whenever it is cut short, the store opens with the keys that
        are in its file then, among which the old one may still be; asking again ends it. Copies
        from before need the old key.

        Raises:
            FailedPrecondition: the secret key is not in a file (the message says what to do), the
                file cannot be written, nothing is encrypted here, or as of `rotate`.
        """
        ...

    async def close(self) -> None:
        """Waits for calls that go on and gives everything back; other calls fail from then on."""
        ...
