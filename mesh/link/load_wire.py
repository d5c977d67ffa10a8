"""Report ↔ mesh.v1.LoadReport."""

from math import isfinite

from mesh.control.loads import Outcomes, ReplicaLoad, Report
from mesh.v1 import load_pb2

_MOST = 2**32 - 1  # of what fits a uint32


def to_proto(report: Report) -> load_pb2.LoadReport:
    """The message that describes `report`; moments of measurement are not in it."""
    return load_pb2.LoadReport(
        reporter=report.reporter,
        seconds=report.seconds,
        replicas=[
            load_pb2.ReplicaLoad(
                replica=replica,
                in_flight=load.in_flight,
                cpu=load.cpu,
                gpu=load.gpu,
                memory=round(load.memory),
                ended=round(load.qps * report.seconds),
            )
            for replica, load in report.replicas.items()
        ],
        waiting=[
            load_pb2.Waiting(
                deployment=deployment, version_id=version, service=service, calls=min(calls, _MOST)
            )
            for (deployment, version, service), calls in report.waiting.items()
        ],
        outcomes=[
            load_pb2.Outcome(
                deployment=deployment,
                version_id=version,
                requests=outcomes.requests,
                errors=outcomes.errors,
                latencies={n: min(count, _MOST) for n, count in outcomes.latencies.items()},
            )
            for (deployment, version), outcomes in report.outcomes.items()
        ],
        uses=[load_pb2.TokenUse(digest=digest, at=at) for digest, at in report.uses.items()],
    )


def from_proto(proto: load_pb2.LoadReport, now: float) -> Report:
    """The report that `proto` describes, measured at `now`. Levels that can't be count as 0."""
    seconds = _level(proto.seconds)
    return Report(
        proto.reporter,
        seconds,
        {
            each.replica: ReplicaLoad(
                in_flight=_level(each.in_flight),
                cpu=_level(each.cpu),
                gpu=_level(each.gpu),
                memory=float(each.memory),
                qps=each.ended / seconds if seconds else 0.0,
                at=now,
            )
            for each in proto.replicas
        },
        {
            (each.deployment, each.version_id, each.service): each.calls
            for each in proto.waiting
            if each.calls
        },
        {
            (each.deployment, each.version_id): Outcomes(
                each.requests, each.errors, dict(each.latencies)
            )
            for each in proto.outcomes
        },
        {each.digest: each.at for each in proto.uses if _level(each.at)},
    )


def _level(value: float) -> float:
    return value if isfinite(value) and value > 0 else 0.0
