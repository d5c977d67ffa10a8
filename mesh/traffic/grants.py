"""What opens protected deployments: grants of tokens, and the decision by them."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token opens of protected deployments: `deployments` by uid, or all of `organization`.

    An empty `organization` is any. `expires_at` is in seconds since the Unix epoch, infinite for
    never.
    """

    organization: str
    everything: bool = False
    deployments: frozenset[str] = frozenset()
    expires_at: float = float("inf")

    def opens(self, uid: str, organization: str) -> bool:
        """Whether it is for the deployment `uid` of `organization`, until it expires."""
        if self.organization and self.organization != organization:
            return False
        return self.everything or uid in self.deployments


class Verdict(Enum):
    """Whether a request may go on to a protected deployment."""

    GRANTED = "granted"
    UNKNOWN = "unknown"
    """Nobody has made such a token, or it was taken back."""
    EXPIRED = "expired"
    ELSEWHERE = "elsewhere"
    """The token is good, for other deployments."""


def decide(grant: Grant | None, uid: str, organization: str, now: float) -> Verdict:
    """What becomes of a request whose token has this grant (None: there is no such token).

    `now` is in seconds since the Unix epoch. A grant ends at `expires_at`: not a moment later.
    """
    if grant is None:
        return Verdict.UNKNOWN
    if now >= grant.expires_at:
        return Verdict.EXPIRED
    return Verdict.GRANTED if grant.opens(uid, organization) else Verdict.ELSEWHERE
