"""Which deployment or upstream of an endpoint takes a request, if more than weights decide."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import NamedTuple

from mesh.traffic.endpoint import Endpoint, LoadBalance, Rule, Upstream, Way
from mesh.traffic.overflow import NOT_FULL, FullSince, Level, spill
from mesh.traffic.places import Ready, free_places, has_place
from mesh.traffic.session import session_way
from mesh.traffic.snapshot import Deployment


class Preference(NamedTuple):
    """What a request says about where it goes.

    `rule` is the rule of its endpoint that it meets, `session` the key that keeps it together
    with others.
    """

    rule: Rule | None = None
    session: str | None = None


NO_PREFERENCE = Preference()


@dataclass(frozen=True, slots=True)
class View:
    """What is known of the deployments and upstreams of an endpoint at the moment.

    `usable` says of a deployment, by its name, whether it can take the request, `asleep` whether
    it has no replica but gets one for a request that waits; both may hold. `able` says whether an
    upstream can take it. `ready` is about versions, `in_flight` about replicas by their ids.
    """

    deployments: Mapping[str, Deployment]
    in_flight: Mapping[str, int]
    usable: Callable[[str], bool]
    asleep: Callable[[str], bool]
    able: Callable[[Upstream], bool]
    ready: Ready

    def takes(self, way: Way) -> bool:
        """Whether the way can take the request."""
        return self.able(way) if isinstance(way, Upstream) else self.usable(way)

    def keeps(self, way: Way) -> bool:
        """Whether the way keeps its sessions: who belongs to one that sleeps waits for it."""
        return self.takes(way) or (not isinstance(way, Upstream) and self.asleep(way))


class Choice(NamedTuple):
    """The way that a request takes (None: there is none), and what the next decision is told."""

    way: Way | None
    since: FullSince = NOT_FULL


def choose_way(
    endpoint: Endpoint,
    view: View,
    preference: Preference,
    *,
    now: float,
    rng: Random,
    since: FullSince,
) -> Choice:
    """The way of one request: by its rule, else its session, else the endpoint's load balance.

    A rule binds: if its deployment can't take the request nothing else does. Otherwise what has
    weight 0 is never chosen. `since` is what the last decision about the endpoint left.
    """
    if preference.rule is not None:
        name = preference.rule.deployment
        return Choice(name if view.usable(name) or view.asleep(name) else None, since)
    if preference.session is not None:
        return Choice(session_way(endpoint, preference.session, view.keeps), since)
    match endpoint.load_balance:
        case LoadBalance.WEIGHTED:
            return Choice(endpoint.ways.draw(view.takes, rng), since)
        case LoadBalance.OVERFLOW:
            return _overflow(endpoint, view, since, now)
        case LoadBalance.CAPACITY:
            return Choice(_by_capacity(endpoint, view, rng), since)


def _overflow(endpoint: Endpoint, view: View, since: FullSince, now: float) -> Choice:
    """By rank; upstreams come last, and nobody knows when they are full."""
    delay = endpoint.scale_out_delay
    name, since = spill(_levels(endpoint, view), since, now=now, delay=delay)
    if name is None or name in since:
        upstream = next(filter(view.able, _upstreams(endpoint)), None)
        return Choice(upstream or name, since)
    return Choice(name, since)


def _levels(endpoint: Endpoint, view: View) -> Iterator[tuple[str, Level]]:
    # In the order of their rank, each looked at only if all above it have no place.
    for name in endpoint.shares.members:
        if view.asleep(name):
            yield name, Level.ASLEEP
        elif view.usable(name):
            free = has_place(view.deployments[name], view.in_flight, view.ready)
            yield name, Level.FREE if free else Level.FULL
        else:
            yield name, Level.GONE


def _by_capacity(endpoint: Endpoint, view: View, rng: Random) -> Way | None:
    """By free places; if there are none, one that sleeps, else an upstream, else a full one."""
    names = [
        name for name in endpoint.shares.members if view.usable(name) and not view.asleep(name)
    ]
    bounds = list(
        accumulate(
            free_places(view.deployments[name], view.in_flight, view.ready) for name in names
        )
    )
    if bounds and bounds[-1]:
        return names[bisect_right(bounds, rng.random() * bounds[-1])]
    return (
        endpoint.shares.draw(view.asleep, rng)
        or endpoint.ways.draw(lambda way: isinstance(way, Upstream) and view.able(way), rng)
        or endpoint.shares.draw(view.usable, rng)
    )


def _upstreams(endpoint: Endpoint) -> Iterator[Upstream]:
    """The upstreams that have a weight, in their order."""
    for way in endpoint.ways.members:
        if isinstance(way, Upstream):
            yield way
