"""What an organization used: `/api/v1/current_org/usage_metrics`."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.control.store.catalogue import Used
from mesh.errors import InvalidArgument
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.parameters import Flag, Text
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.wire.base import said
from mesh.faces.cloud.wire.usage import UsageView

STEPS = {"hour": (3_600.0, 24), "day": (86_400.0, 30)}
"""Seconds of a step, and how many of them are told, by granularity."""
Granularity = Annotated[Text, said(enum=["", *STEPS])]
REPLICA_SECONDS, REQUESTS, ERRORS = METRICS = ("replica_seconds", "requests", "errors")


def usage(backing: Backing) -> APIRouter:
    """The route of what was used."""
    routes = APIRouter(tags=["usage"])

    @routes.get("/api/v1/current_org/usage_metrics")
    async def used(
        asker: Asker = may(Verb.READ, Area.ORGANIZATION),
        metrics: Text = "",
        granularity: Granularity = "",
        debug: Flag = None,
        deployment: Text = "",
    ) -> UsageView:
        """What was used in the last 24 hours, or, with granularity `day`, in the last 30 days.

        `metrics` are some of replica_seconds (by instance type too, as replica_seconds.TYPE),
        requests and errors, separated by commas.
        """
        size, steps = _steps(granularity or "hour")
        asked = tuple(each.strip() for each in metrics.split(",") if each.strip()) or METRICS
        for each in asked:
            if each not in METRICS:
                raise InvalidArgument(
                    f"there is no metric {each!r}; there are {', '.join(METRICS)}"
                )
        end = (backing.wall() // size + 1) * size
        start = end - steps * size
        found = await backing.journal.used(
            start, end, organization=asker.organization, deployment=deployment
        )
        return UsageView(
            start_time=_told(start),
            end_time=_told(end),
            granularity=granularity or "hour",
            data=series(found, asked, start, size, steps),
            debug=bool(debug),
        )

    return routes


def _steps(granularity: str) -> tuple[float, int]:
    if granularity not in STEPS:
        raise InvalidArgument(f"granularity {granularity[:40]!r} is none of {', '.join(STEPS)}")
    return STEPS[granularity]


def _told(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def series(
    found: Iterable[Used], metrics: Sequence[str], start: float, size: float, steps: int
) -> dict[str, tuple[str, ...]]:
    """What was used by metric, for each of `steps` steps of `size` seconds from `start` on."""
    sums: dict[str, list[float]] = {metric: [0] * steps for metric in metrics}
    for each in found:
        values = {
            REPLICA_SECONDS: each.replica_seconds,
            REQUESTS: each.requests,
            ERRORS: each.errors,
        }
        step = int((each.hour - start) // size)
        for metric in metrics:
            sums[metric][step] += values[metric]
        if each.instance_type and REPLICA_SECONDS in metrics:
            of_type = f"{REPLICA_SECONDS}.{each.instance_type}"
            sums.setdefault(of_type, [0] * steps)[step] += each.replica_seconds
    return {metric: tuple(f"{value:.12g}" for value in values) for metric, values in sums.items()}
