"""What replicas and callers reported last. `now` is on the controller's clock."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from itertools import takewhile

from mesh.control.autoscale import sum_up
from mesh.control.loads import ReplicaLoad, Report, ServiceLoad

INTERVAL = 1.0
"""Seconds between two reports of one process, while there are not too many."""
PER_SECOND = 500
"""Reports that a controller takes in a second; with more reporters each reports less often."""
_Key = tuple[str, str, str]


class Gauges:
    """The last reports of all processes; those of who is silent are forgotten after a while."""

    def __init__(self) -> None:
        self._replicas: dict[str, ReplicaLoad] = {}
        self._reporters: dict[str, float] = {}
        # By deployment, version id and service: calls that wait, by reporter.
        self._waiting: dict[_Key, dict[str, int]] = {}
        self._keys: dict[str, tuple[_Key, ...]] = {}

    def __repr__(self) -> str:
        return f"<Gauges of {len(self._replicas)} replicas, {len(self._reporters)} reporters>"

    @property
    def interval(self) -> float:
        """Seconds in which a process should report again."""
        return max(INTERVAL, len(self._reporters) / PER_SECOND)

    @property
    def patience(self) -> float:
        """Seconds after which a report is not believed any more."""
        return 3 * self.interval + 2.0

    @property
    def settling(self) -> float:
        """Seconds in which all have reported about a time that began after now."""
        return 2 * self.interval

    def take(self, report: Report, now: float) -> frozenset[str]:
        """Takes a report; returns the deployments for which calls wait there."""
        for replica, load in report.replicas.items():
            before = self._replicas.get(replica)
            since = before.since if before is not None else now
            self._replicas[replica] = replace(load, since=since)
        self._reporters.pop(report.reporter, None)  # who reported last comes last
        self._reporters[report.reporter] = now
        self._drop(report.reporter)
        for key, calls in report.waiting.items():
            self._waiting.setdefault(key, {})[report.reporter] = calls
        self._keys[report.reporter] = tuple(report.waiting)
        return frozenset(key[0] for key, calls in report.waiting.items() if calls)

    def _drop(self, reporter: str) -> None:
        for key in self._keys.pop(reporter, ()):
            calls = self._waiting[key]
            del calls[reporter]
            if not calls:
                del self._waiting[key]

    def knows(self, replica: str) -> bool:
        """Whether the replica (an id) has reported."""
        return replica in self._replicas

    def load(
        self,
        deployment: str,
        versions: Iterable[str],
        service: str,
        ready: Sequence[str],
        now: float,
        leaving: Iterable[str] = (),
    ) -> ServiceLoad:
        """The load of a service under one version name, whose releases are `versions` (ids).

        `ready` are the ids of its replicas that take calls, `leaving` of those that did `settling`
        seconds ago.
        """
        queued = sum(
            sum(self._waiting.get((deployment, version, service), {}).values())
            for version in versions
        )
        patience, settling = self.patience, self.settling
        return sum_up(self._replicas, ready, queued, now, patience, settling, leaving)

    def keep(self, replicas: Container[str], now: float) -> None:
        """Forgets replicas that have ended: those that are not among `replicas` (ids)."""
        self._replicas = {
            key: each
            for key, each in self._replicas.items()
            if key in replicas or now - each.at <= self.settling
        }

    def expire(self, now: float) -> None:
        """Forgets what reporters said that are silent."""
        latest = now - self.patience
        silent = tuple(takewhile(lambda each: each[1] < latest, self._reporters.items()))
        for reporter, _ in silent:
            del self._reporters[reporter]
            self._drop(reporter)
