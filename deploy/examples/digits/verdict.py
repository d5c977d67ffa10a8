"""What the demo has to show: decided from what was counted, without a mesh."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import binom

CONFIDENCE = 0.999
LOWEST_ACCURACY = 0.9


@dataclass(frozen=True, slots=True)
class Reply:
    """One answered request: who answered, whether with the right digit, after how many seconds."""

    version: str
    model: str
    is_right: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class VersionResult:
    """What one version did. `weight` is its share as configured, 0 to 1; times in seconds.

    `model` is the name of the model that it answered with, "-" if it had no request.
    """

    version: str
    model: str
    weight: float
    requests: int
    of: int
    right: int
    p50: float
    p99: float

    @property
    def share(self) -> float:
        """Its share of all requests, 0 to 1."""
        return self.requests / self.of if self.of else 0.0

    @property
    def accuracy(self) -> float:
        """How many of its answers are right, 0 to 1."""
        return self.right / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Promotion:
    """What happened while a version was promoted under load.

    `last` are the models of the last replies, when the promotion was over.
    """

    requests: int
    failures: Sequence[str]
    last: Sequence[str]
    seconds: float


def by_version(replies: Sequence[Reply], weights: Mapping[str, float]) -> list[VersionResult]:
    """One result for each version in `weights`, and for each other one that has answered."""
    versions = dict.fromkeys((*weights, *(reply.version for reply in replies)))
    return [_result(version, replies, weights.get(version, 0.0)) for version in versions]


def _result(version: str, replies: Sequence[Reply], weight: float) -> VersionResult:
    own = [reply for reply in replies if reply.version == version]
    times = sorted(reply.seconds for reply in own)
    return VersionResult(
        version,
        own[0].model if own else "-",
        weight,
        requests=len(own),
        of=len(replies),
        right=sum(reply.is_right for reply in own),
        p50=percentile(times, 0.5),
        p99=percentile(times, 0.99),
    )


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """The smallest of the ordered values that is not below `fraction` of them; NaN if none."""
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]


def share_bound(requests: int, weight: float) -> tuple[float, float]:
    """Between which shares a version stays in 99.9 % of all runs, if its weight holds."""
    if not requests:
        return 0.0, 1.0
    low, high = binom.interval(CONFIDENCE, requests, weight)
    return float(low) / requests, float(high) / requests


def faults(
    results: Iterable[VersionResult], failures: Sequence[str], promotion: Promotion, target: str
) -> Iterator[str]:
    """Everything that is not as it must be, a sentence each; none means success.

    `failures` are those before the promotion; `target` is the model that was promoted.
    """
    for result in results:
        yield from _version_faults(result)
    if failures:
        yield f"{len(failures)} requests failed, the first with: {failures[0]}"
    if promotion.failures:
        yield (
            f"{len(promotion.failures)} of {promotion.requests} requests failed during the "
            f"promotion, the first with: {promotion.failures[0]}"
        )
    late = [model for model in promotion.last if model != target]
    if late or not promotion.last:
        yield (
            f"after the promotion {len(late)} of {len(promotion.last)} requests were not "
            f"answered by {target}"
        )


def _version_faults(result: VersionResult) -> Iterator[str]:
    if not result.of:
        yield f"version {result.version} got no requests: none was answered"
        return
    low, high = share_bound(result.of, result.weight)
    if not low <= result.share <= high:
        yield (
            f"version {result.version} got {result.share:.1%} of the requests, which is not "
            f"between {low:.1%} and {high:.1%} as its weight of {result.weight:.0%} asks for"
        )
    if result.requests and result.accuracy <= LOWEST_ACCURACY:
        yield (
            f"version {result.version} is right about {result.accuracy:.1%} of the images, "
            f"which is not above {LOWEST_ACCURACY:.0%}"
        )
