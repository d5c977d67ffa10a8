"""Where the requests of one session go: always to the same deployment or upstream."""

from collections.abc import Callable
from itertools import pairwise

from mesh.traffic.endpoint import Endpoint, Upstream, Way
from mesh.traffic.rendezvous import score


def session_way(endpoint: Endpoint, key: str, usable: Callable[[Way], bool]) -> Way | None:
    """The way that the session `key` belongs to, or the next in its ranking that is `usable`.

    By weighted rendezvous over deployments and upstreams. None if none is usable.
    """
    ways = endpoint.ways
    found: Way | None = None
    highest = 0.0
    for way, (start, end) in zip(ways.members, pairwise((0, *ways.bounds)), strict=True):
        if not usable(way):
            continue
        # An upstream is known by its address, so that its key may change; the slash in that keeps
        # it apart from deployments.
        name = way.url if isinstance(way, Upstream) else way
        strength = score(f"{endpoint.name}\0{name}\0{key}", end - start)
        if strength > highest:
            found, highest = way, strength
    return found
