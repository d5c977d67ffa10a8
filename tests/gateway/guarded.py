"""Routing tables with protected deployments, and tokens for them."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from mesh.traffic.snapshot import Grant, Snapshot
from tests.gateway.asgi_client import Headers

GRANTS: Mapping[str, Grant] = {
    "all": Grant("org", everything=True),
    "one": Grant("org", deployments=frozenset({"uid-demo"})),
    "brief": Grant("org", everything=True, expires_at=2000.0),
    "late": Grant("org", everything=True, expires_at=1000.0),
    "other": Grant("org", deployments=frozenset({"uid-other"})),
    "stranger": Grant("elsewhere", everything=True, deployments=frozenset({"uid-demo"})),
}
"""By their tokens; at 1000 "late" has just expired."""
WRONG = ("late", "nobody's", "")
"""Tokens that tell nobody who the caller is."""
ELSEWHERE = ("other", "stranger")
"""Tokens that are good, and not for the deployment `demo`."""


def digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def protected(
    table: Snapshot, *names: str, grants: Mapping[str, Grant] = GRANTS, number: int = 0
) -> Snapshot:
    """The table with these deployments protected (none: all), in the organization `org`."""
    deployments = {
        name: replace(
            each, protected=name in (names or (name,)), uid=f"uid-{name}", organization="org"
        )
        for name, each in table.deployments.items()
    }
    return replace(
        table,
        number=number or table.number,
        deployments=deployments,
        grants={digest(token): grant for token, grant in grants.items()},
    )


def shows(token: str) -> Headers:
    """The header field (gRPC: metadata) that shows a token."""
    return [("authorization", f"Bearer {token}")]
