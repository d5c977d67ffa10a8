"""Who may call protected deployments: by the grants of the routing table, and nothing else.

So a gateway decides alone, whether the controller is there or not.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256

from mesh.call import Metadata
from mesh.control.loads import MOST_USES
from mesh.errors import MeshError, PermissionDenied, Unauthenticated
from mesh.traffic.grants import Grant, Verdict, decide
from mesh.traffic.snapshot import EMPTY, Deployment, Endpoint, Snapshot

FIELD = "authorization"
"""The header field that shows a token: `Bearer TOKEN`."""
_LONGEST = 1024
"""Bytes of a field whose digest is kept."""
_KEPT = 4096
"""Digests that are kept."""
_MOST_SEEN = 256
"""Callers of whom is kept what they may see of one snapshot."""


class TokenWantedError(Unauthenticated):
    """A request to a protected deployment shows no token that is good: 401, UNAUTHENTICATED."""


class Guard:
    """Lets requests in. `wall` gives seconds since the Unix epoch, in which grants end."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._uses: dict[bytes, float] = {}
        self._snapshot = EMPTY
        self._protected: tuple[Deployment, ...] = ()
        self._seen: dict[Grant | None, frozenset[str]] = {}

    def __repr__(self) -> str:
        return f"<Guard of {len(self._protected)} deployments, {len(self._uses)} tokens used>"

    def admit(self, shown: bytes, snapshot: Snapshot, deployment: Deployment) -> None:
        """Returns if a request that shows this `authorization` field may go to the deployment.

        Raises:
            TokenWantedError: it shows no token, or none that is good.
            PermissionDenied: the token is for others.
        """
        if not deployment.protected:
            return
        digest = digest_of(shown)
        grant = None if digest is None else snapshot.grants.get(digest)
        now = self._wall()
        verdict = decide(grant, deployment.uid, deployment.organization, now)
        if digest is None or verdict is not Verdict.GRANTED:
            raise _refusal(deployment.name, verdict, is_shown=digest is not None)
        if digest in self._uses or len(self._uses) < MOST_USES:
            self._uses[digest] = now

    def admit_anywhere(self, shown: bytes, snapshot: Snapshot, endpoint: Endpoint) -> None:
        """Returns if the request may go to a deployment of the endpoint. Raises as `admit`."""
        refused: MeshError | None = None
        for name in endpoint.reachable:
            found = snapshot.deployments.get(name)
            if found is None:
                continue
            try:
                return self.admit(shown, snapshot, found)
            except (TokenWantedError, PermissionDenied) as error:
                refused = refused or error
        if refused is not None:
            raise refused
        return None

    def admit_outside(
        self, shown: bytes, snapshot: Snapshot, endpoint: Endpoint, metadata: Metadata
    ) -> Metadata:
        """What of `metadata` goes to an upstream of the endpoint.

        An upstream beside protected deployments is for those who may call one of them.

        Raises as `admit`.
        """
        protected = [
            found
            for name in endpoint.reachable
            if (found := snapshot.deployments.get(name)) is not None and found.protected
        ]
        refused: MeshError | None = None
        for each in protected:
            try:
                self.admit(shown, snapshot, each)
            except (TokenWantedError, PermissionDenied) as error:
                refused = refused or error
            else:
                return without_credential(metadata)
        if refused is not None:
            raise refused
        return metadata

    def forwarded(
        self, shown: bytes, snapshot: Snapshot, endpoint: Endpoint, metadata: Metadata
    ) -> Metadata:
        """What of `metadata` goes to an open deployment of the endpoint.

        A token that is for a protected one beside it is none of its business; what it may know
        callers by itself goes on to it.
        """
        digest = digest_of(shown)
        if digest not in snapshot.grants or not any(
            found.protected
            for name in endpoint.reachable
            if (found := snapshot.deployments.get(name)) is not None
        ):
            return metadata
        return without_credential(metadata)

    def hidden(self, shown: bytes, snapshot: Snapshot) -> frozenset[str]:
        """The names of deployments of which the request must not be told anything."""
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._protected = tuple(
                each for each in snapshot.deployments.values() if each.protected
            )
            self._seen = {}
        if not self._protected:
            return frozenset()
        now = self._wall()
        digest = digest_of(shown)
        grant = None if digest is None else snapshot.grants.get(digest)
        if grant is not None and now >= grant.expires_at:
            grant = None
        known = self._seen.get(grant)
        if known is not None:
            return known
        found = frozenset(
            each.name
            for each in self._protected
            if grant is None or not grant.opens(each.uid, each.organization)
        )
        if len(self._seen) < _MOST_SEEN:
            self._seen[grant] = found
        return found

    def take_uses(self) -> dict[bytes, float]:
        """The tokens, by digest, that were let in since the last time, and when last."""
        uses, self._uses = self._uses, {}
        return uses


def digest_of(shown: bytes) -> bytes | None:
    """The SHA-256 of the token in an `authorization` field; None if there is none."""
    if len(shown) > _LONGEST:
        return _digest(shown)
    return _kept_digest(shown)


def _digest(shown: bytes) -> bytes | None:
    scheme, _, token = shown.partition(b" ")
    token = token.strip()
    return sha256(token).digest() if token and scheme.lower() == b"bearer" else None


_kept_digest = lru_cache(maxsize=_KEPT)(_digest)


def without_credential(metadata: Metadata) -> Metadata:
    """The metadata without what shows who the caller is."""
    return tuple(each for each in metadata if each[0] != FIELD)


def _refusal(name: str, verdict: Verdict, *, is_shown: bool) -> MeshError:
    if not is_shown:
        text = f"deployment {name!r} is protected: send a token as authorization: Bearer"
        return TokenWantedError(text)
    match verdict:
        case Verdict.EXPIRED:
            return TokenWantedError("the token has expired")
        case Verdict.ELSEWHERE:
            return PermissionDenied(f"the token is not for deployment {name!r}")
    return TokenWantedError("this is no token that is known, or it was revoked")
