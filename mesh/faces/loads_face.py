"""mesh.v1.Loads: takes what replicas and callers measure."""

from typing import Any, Protocol

from mesh.clock import Clock, monotonic
from mesh.control.loads import Report
from mesh.link import load_wire
from mesh.v1 import load_pb2, load_pb2_grpc

Context = Any
"""grpc.aio.ServicerContext, whose type parameters differ between releases."""


class TakesReports(Protocol):
    """Who decides by reports."""

    def report(self, report: Report) -> float:
        """Takes a report; returns in how many seconds the next one is wanted."""
        ...


class Loads(load_pb2_grpc.LoadsServicer):
    """Hands reports on; `clock` says when they were measured."""

    def __init__(self, taker: TakesReports, clock: Clock = monotonic) -> None:
        self._taker = taker
        self._clock = clock

    async def Report(  # noqa: N802  # the protocol's name
        self, request: load_pb2.LoadReport, _: Context
    ) -> load_pb2.LoadReply:
        """As of load.proto."""
        interval = self._taker.report(load_wire.from_proto(request, self._clock()))
        return load_pb2.LoadReply(interval=interval)
