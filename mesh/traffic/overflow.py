"""`overflow`: deployments in their order, each filled before the next gets a request."""

from collections.abc import Iterable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

FullSince = Mapping[str, float]
"""Since when (clock of the caller, seconds) a deployment and all above it have been full.

By the name of the deployment. It is what one decision leaves to the next of the same endpoint;
nothing between the two can fill a place, for whatever fills one is a decision.
"""
NOT_FULL: FullSince = MappingProxyType({})
"""Of an endpoint of which nothing is known."""


class Level(Enum):
    """How a deployment of the endpoint is."""

    FREE = "free"
    """Some replica has a free place."""
    FULL = "full"
    """It has replicas, all of them full."""
    ASLEEP = "asleep"
    """It has no replica, and a request that waits starts one."""
    GONE = "gone"
    """It takes no requests."""


class Spill(NamedTuple):
    """Which deployment takes a request (None: none can), and what the next decision is told."""

    name: str | None
    since: FullSince


def spill(
    ranked: Iterable[tuple[str, Level]], since: FullSince, *, now: float, delay: float
) -> Spill:
    """The first of `ranked` that has a place.

    One that is asleep has one when those above it have been full without pause for `delay`
    seconds, and at once if none above it is. If all are full the first of those takes the request.
    """
    full: dict[str, float] = {}
    last = ""
    for name, level in ranked:
        if level is Level.FREE:
            return Spill(name, full)
        if level is Level.FULL:
            full[name] = since.get(name, now)
            last = name
        elif level is Level.ASLEEP and (not last or now - full[last] >= delay):
            return Spill(name, full)
    return Spill(next(iter(full), None), full)
