"""What became of the requests of each version, as gateways report it: kept, added up, summed up.

`now` is in seconds on any clock that does not go back; the ledger of a controller has one.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import floor

from mesh.control.loads import Outcomes
from mesh.traffic.latency import LONGEST, SHORTEST, added, bucket, quantile

WINDOW = 300.0
"""Seconds that count as recent."""
SLOT = 10.0
"""Seconds by which what is no longer recent is forgotten together."""
VERSIONS = 20_000
"""Versions that a ledger remembers; of more it forgets those that were silent longest."""
_SLOTS = int(WINDOW / SLOT)
_FIRST, _LAST = bucket(SHORTEST), bucket(LONGEST)


def together(one: Outcomes, other: Outcomes) -> Outcomes:
    """Both as one."""
    return Outcomes(
        one.requests + other.requests,
        one.errors + other.errors,
        added(one.latencies, other.latencies),
    )


@dataclass(frozen=True, slots=True)
class VersionMetrics:
    """What people want to know of a version; all 0 without requests.

    `rate` is in requests per second, `error_rate` in errors per request; `p50`, `p90` and `p99` are
    quantiles of the latency in seconds.
    """

    requests: int
    rate: float
    errors: int
    error_rate: float
    p50: float
    p90: float
    p99: float


def summary(outcomes: Outcomes, seconds: float) -> VersionMetrics:
    """The metrics of requests that ended within `seconds`; with 0 seconds there is no rate."""
    requests, errors = outcomes.requests, outcomes.errors
    return VersionMetrics(
        requests=requests,
        rate=requests / seconds if seconds > 0 else 0.0,
        errors=errors,
        error_rate=errors / requests if requests else 0.0,
        p50=quantile(outcomes.latencies, 0.5),
        p90=quantile(outcomes.latencies, 0.9),
        p99=quantile(outcomes.latencies, 0.99),
    )


@dataclass(slots=True)
class _Tally:
    """Outcomes that still grow."""

    requests: int = 0
    errors: int = 0
    latencies: dict[int, int] = field(default_factory=dict)

    def add(self, outcomes: Outcomes) -> None:
        self.requests += outcomes.requests
        self.errors += outcomes.errors
        for number, count in outcomes.latencies.items():
            # A gateway that counts in buckets nobody knows must not fill the memory.
            kept = min(max(number, _FIRST), _LAST)
            self.latencies[kept] = self.latencies.get(kept, 0) + count

    def value(self) -> Outcomes:
        return Outcomes(self.requests, self.errors, dict(self.latencies))


@dataclass(slots=True)
class _Account:
    """One version: all its outcomes, those not taken yet, those of each recent slot of time.

    Slots are numbered in units of SLOT from the zero of the clock; the newest is last.
    """

    since: float
    total: _Tally = field(default_factory=_Tally)
    fresh: _Tally = field(default_factory=_Tally)
    slots: deque[tuple[int, _Tally]] = field(default_factory=deque)

    def add(self, outcomes: Outcomes, now: float) -> None:
        self.drop_old(now)
        slot = floor(now / SLOT)
        if not self.slots or self.slots[-1][0] < slot:
            self.slots.append((slot, _Tally()))
        for tally in (self.total, self.fresh, self.slots[-1][1]):
            tally.add(outcomes)

    def drop_old(self, now: float) -> None:
        """Forgets the slots that ended WINDOW ago or earlier."""
        while self.slots and self.slots[0][0] <= floor(now / SLOT) - _SLOTS:
            self.slots.popleft()


class Ledger:
    """Outcomes by deployment and version id, from the reports of any number of gateways.

    Its memory is bounded: there are at most `versions` accounts, and none grows with requests.
    """

    def __init__(self, versions: int = VERSIONS) -> None:
        self._versions = versions
        # In the order of their last outcomes, the newest last.
        self._accounts: OrderedDict[tuple[str, str], _Account] = OrderedDict()

    def __repr__(self) -> str:
        return f"Ledger({len(self._accounts)} of {self._versions} versions)"

    def add(self, deployment: str, version_id: str, outcomes: Outcomes, now: float) -> None:
        """Counts outcomes that nobody has reported before."""
        key = (deployment, version_id)
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account(since=now)
        account.add(outcomes, now)
        self._accounts.move_to_end(key)
        if len(self._accounts) > self._versions:
            self._accounts.popitem(last=False)

    def take(self, deployment: str, version_id: str) -> Outcomes:
        """What was added since the last `take`. There is one taker: each outcome is given once."""
        account = self._accounts.get((deployment, version_id))
        if account is None:
            return Outcomes()
        taken = account.fresh.value()
        account.fresh = _Tally()
        return taken

    def total(self, deployment: str, version_id: str) -> Outcomes:
        """All that was added since the ledger knows of the version."""
        account = self._accounts.get((deployment, version_id))
        return account.total.value() if account is not None else Outcomes()

    def recent(self, deployment: str, version_id: str, now: float) -> tuple[Outcomes, float]:
        """What was added in the last WINDOW seconds (to a SLOT), and in how many seconds.

        Those are fewer than WINDOW while the version is new, but never less than SLOT; WINDOW for
        a version nobody knows.
        """
        account = self._accounts.get((deployment, version_id))
        if account is None:
            return Outcomes(), WINDOW
        account.drop_old(now)
        recent = _Tally()
        for _, tally in account.slots:
            recent.add(tally.value())
        start = max(account.since, (floor(now / SLOT) - _SLOTS + 1) * SLOT)
        return recent.value(), max(now - start, SLOT)

    def keep(self, live: Iterable[tuple[str, str]]) -> None:
        """Forgets all but these, each a deployment and a version id."""
        wanted = set(live)
        for key in [key for key in self._accounts if key not in wanted]:
            del self._accounts[key]
