"""Whether a failed call is tried again, and when: a decision over values."""

from random import Random

from mesh.errors import Code, MeshError, Unavailable

FIRST_PAUSE = 0.05
"""Seconds before the second try on average; the pause doubles from try to try."""
LONGEST_PAUSE = 5.0


class NotSent(Unavailable):
    """The request did not reach the service."""


def pause(
    error: MeshError, *, tries: int, retries: int, idempotent: bool, left: float, rng: Random
) -> float | None:
    """Seconds until the next try of a call that failed; None if there is none.

    `tries` have been made, `retries` may follow the first. `left` are the seconds until the
    call's deadline: a try that would begin after it is not made. What was refused before the
    method ran may always be repeated; what may have run only if the method is `idempotent`.
    """
    if tries > retries or not _may_repeat(error, idempotent=idempotent):
        return None
    wait = min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE) * rng.uniform(0.5, 1.5)
    if error.retry_after is not None:
        wait = max(wait, error.retry_after)
    return wait if wait < left else None


def _may_repeat(error: MeshError, *, idempotent: bool) -> bool:
    if isinstance(error, NotSent):
        return True
    if error.code is Code.RESOURCE_EXHAUSTED:
        # Limits of concurrency refuse before the method runs, and say when to come again over
        # gRPC, which has no status of its own for limits of size; those refuse for good.
        return error.http_status == 429 or error.retry_after is not None
    return error.code is Code.UNAVAILABLE and idempotent
