"""What deployments use, by hour: replica-seconds and requests, until it is written down. Pure."""

from collections.abc import Iterable, Mapping

from mesh.control.store.catalogue import Used

HOUR = 3600.0
Kind = tuple[str, str, str]
"""Organization, deployment, instance type (empty: none)."""


class Meter:
    """Adds up what is used since the last `take`. Times are seconds since the Unix epoch.

    Between two looks the replicas are those of the earlier one. A look after a longer time than
    `longest`, or after a clock went back, adds nothing: nobody saw what ran meanwhile.
    """

    def __init__(self, longest: float = 120.0) -> None:
        self._longest = longest
        self._at: float | None = None
        self._ready: Mapping[Kind, int] = {}
        self._seconds: dict[tuple[float, Kind], float] = {}
        self._requests: dict[tuple[float, Kind], tuple[int, int]] = {}

    def __repr__(self) -> str:
        return f"Meter({len(self._seconds)} hours of replicas, {len(self._requests)} of requests)"

    def look(self, ready: Mapping[Kind, int], now: float) -> None:
        """Takes how many replicas are ready now."""
        before, self._at = self._at, now
        counted, self._ready = self._ready, dict(ready)
        if before is None or not 0 <= now - before <= self._longest:
            return
        for hour, seconds in _hours(before, now):
            for kind, replicas in counted.items():
                key = (hour, kind)
                self._seconds[key] = self._seconds.get(key, 0.0) + replicas * seconds

    def count(
        self, organization: str, deployment: str, requests: int, errors: int, now: float
    ) -> None:
        """Takes requests that have ended, and how many of them failed."""
        key = (_hour(now), (organization, deployment, ""))
        before = self._requests.get(key, (0, 0))
        self._requests[key] = (before[0] + requests, before[1] + errors)

    def take(self) -> tuple[Used, ...]:
        """What was used since the last time, in the order of hours; it is forgotten here."""
        keys = sorted(self._seconds.keys() | self._requests.keys())
        taken = tuple(
            Used(hour, *kind, self._seconds.get((hour, kind), 0.0), *self._of(hour, kind))
            for hour, kind in keys
        )
        self._seconds, self._requests = {}, {}
        return tuple(each for each in taken if each.replica_seconds or each.requests)

    def _of(self, hour: float, kind: Kind) -> tuple[int, int]:
        return self._requests.get((hour, kind), (0, 0))

    def put_back(self, taken: Iterable[Used]) -> None:
        """Takes up again what could not be written down."""
        for each in taken:
            key = (each.hour, (each.organization, each.deployment, each.instance_type))
            self._seconds[key] = self._seconds.get(key, 0.0) + each.replica_seconds
            before = self._requests.get(key, (0, 0))
            self._requests[key] = (before[0] + each.requests, before[1] + each.errors)


def _hour(at: float) -> float:
    return at - at % HOUR


def _hours(start: float, end: float) -> Iterable[tuple[float, float]]:
    """The hours that a time is in, each with the seconds of it in that hour."""
    while start < end:
        until = min(_hour(start) + HOUR, end)
        yield _hour(start), until - start
        start = until
