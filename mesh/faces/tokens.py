"""The token of the control plane: what a client shows, and whether it is the right one."""

import hmac

from mesh.access.contract import WANTED, WRONG
from mesh.errors import Unauthenticated


def bearer(value: bytes) -> bytes:
    """The token in the value of an `authorization` field; empty if there is none."""
    scheme, _, token = value.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


def refusal(given: bytes, token: bytes) -> Unauthenticated | None:
    """Why who shows `given` may not come in; None if it may. An empty `token` lets everyone in."""
    if not token:
        return None
    if not given:
        return Unauthenticated(WANTED)
    # In constant time, so that how long it takes tells nothing of the token.
    return None if hmac.compare_digest(given, token) else Unauthenticated(WRONG)
