"""How requests to each version ended, for the controller, which judges canaries by it."""

from collections.abc import Mapping

from mesh.control.loads import MOST_OUTCOMES, Outcomes
from mesh.errors import Code
from mesh.traffic.latency import bucket

_FAULTS = frozenset(
    code.name
    for code in (
        Code.UNKNOWN,
        Code.DEADLINE_EXCEEDED,
        Code.INTERNAL,
        Code.UNAVAILABLE,
        Code.DATA_LOSS,
    )
)


def is_fault(code: str) -> bool:
    """Whether a request with this end failed through the service's fault.

    `code` is an HTTP status, or the name of a gRPC code. Not at fault is a service whose client
    sent wrong input, asked for too much, or went away.
    """
    return code[0] == "5" or code in _FAULTS


class _Tally:
    """Counts of one version since they were taken last."""

    __slots__ = ("errors", "latencies", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self.latencies: dict[int, int] = {}


class OutcomeCounts:
    """Counts the requests that end, by deployment and version id. For one thread."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], _Tally] = {}

    def __repr__(self) -> str:
        requests = sum(tally.requests for tally in self._tallies.values())
        return f"<OutcomeCounts {requests} requests of {len(self._tallies)} versions>"

    def count(self, deployment: str, version_id: str, code: str, seconds: float) -> None:
        """Counts a request that took `seconds`. `code` is as of `is_fault`."""
        tally = self._tallies.get((deployment, version_id))
        if tally is None:
            if len(self._tallies) >= MOST_OUTCOMES:
                return
            tally = self._tallies[deployment, version_id] = _Tally()
        tally.requests += 1
        if is_fault(code):
            tally.errors += 1
        number = bucket(seconds)
        tally.latencies[number] = tally.latencies.get(number, 0) + 1

    def take(self) -> Mapping[tuple[str, str], Outcomes]:
        """What was counted since the last time."""
        tallies, self._tallies = self._tallies, {}
        return {
            key: Outcomes(tally.requests, tally.errors, tally.latencies)
            for key, tally in tallies.items()
        }
