"""What of a controller takes reports, on a port of its own."""

import grpc
import grpc.aio

from mesh.control.loads import Report
from mesh.faces.loads_face import Loads
from mesh.ports import free_port
from mesh.v1 import load_pb2_grpc


class Controller:
    """Takes reports on a port of its own."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.interval = 2.0
        self.port = free_port("127.0.0.1")  # it may be away for a while
        self._server: grpc.aio.Server | None = None

    def report(self, report: Report) -> float:
        self.reports.append(report)
        return self.interval

    async def start(self, *, takes_reports: bool = True) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        if takes_reports:
            load_pb2_grpc.add_LoadsServicer_to_server(Loads(self, lambda: 9.0), self._server)
        self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
