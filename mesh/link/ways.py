"""Which way a request takes at an endpoint where more than weights decide."""

from collections.abc import Callable, Container, Mapping
from random import Random

from mesh.clock import Clock
from mesh.errors import Unavailable
from mesh.traffic.endpoint import Endpoint, Upstream
from mesh.traffic.overflow import NOT_FULL, FullSince
from mesh.traffic.places import is_asleep
from mesh.traffic.snapshot import Deployment, Version
from mesh.traffic.split import nowhere
from mesh.traffic.way import Choice, Preference, View, choose_way

Usable = Callable[[str], bool]
"""Whether a deployment, by its name, can take the request now."""
Able = Callable[[Upstream], bool]
"""Whether an upstream can take the request."""


class Ways:
    """Chooses by the load that this caller puts on replicas. `in_flight` counts it, by their ids.

    Keeps what one decision of `overflow` leaves to the next.
    """

    def __init__(self, in_flight: Mapping[str, int], clock: Clock, rng: Random) -> None:
        self._in_flight = in_flight
        self._clock = clock
        self._rng = rng
        self._full_since: dict[str, FullSince] = {}

    def __repr__(self) -> str:
        return f"<Ways {len(self._full_since)} endpoints full>"

    def keep(self, endpoints: Container[str]) -> None:
        """Forgets endpoints that are not there any more."""
        kept = {name: full for name, full in self._full_since.items() if name in endpoints}
        self._full_since = kept

    def deployment(
        self,
        endpoint: Endpoint,
        deployments: Mapping[str, Deployment],
        preference: Preference,
        usable: Usable,
        ready: Callable[[Version], bool],
    ) -> str:
        """The deployment that takes a request. Raises Unavailable if none does."""
        way = self._way(endpoint, deployments, preference, usable, ready, _nowhere)
        if isinstance(way, str):
            return way
        if preference.rule is not None:
            name = preference.rule.deployment
            raise Unavailable(f"deployment {name!r}, to which a rule leads, has no ready replica")
        raise nowhere(endpoint)

    def upstream(
        self,
        endpoint: Endpoint,
        deployments: Mapping[str, Deployment],
        preference: Preference,
        usable: Usable,
        ready: Callable[[Version], bool],
        able: Able,
    ) -> Upstream | None:
        """The upstream that takes a request; None if a deployment does, or nothing can."""
        way = self._way(endpoint, deployments, preference, usable, ready, able)
        return way if isinstance(way, Upstream) else None

    def _way(
        self,
        endpoint: Endpoint,
        deployments: Mapping[str, Deployment],
        preference: Preference,
        usable: Usable,
        ready: Callable[[Version], bool],
        able: Able,
    ) -> str | Upstream | None:
        def asleep(name: str) -> bool:
            return sleeps(deployments.get(name))

        view = View(deployments, self._in_flight, usable, asleep, able, ready)
        since = self._full_since.get(endpoint.name, NOT_FULL)
        found: Choice = choose_way(
            endpoint, view, preference, now=self._clock(), rng=self._rng, since=since
        )
        if found.since:
            self._full_since[endpoint.name] = found.since
        else:
            self._full_since.pop(endpoint.name, None)
        return found.way


def sleeps(deployment: Deployment | None) -> bool:
    """Whether no version that takes traffic has a replica, and one gets one for a call that waits.

    False for a deployment that is not there.
    """
    if deployment is None:
        return False
    versions = deployment.shares.members
    has_any = any(
        entry.replicas
        for version in versions
        if (entry := version.services.get(version.entry)) is not None
    )
    return not has_any and any(map(is_asleep, versions))


def _nowhere(_: Upstream) -> bool:
    return False
