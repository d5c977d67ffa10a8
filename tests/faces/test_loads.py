"""Reports of load to the controller's gRPC face."""

from typing import Any

import grpc.aio

from mesh.control.latest import Latest
from mesh.control.loads import Report
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.control.watchers import Watchers
from mesh.faces.grpc_face import GrpcServer
from mesh.faces.notes import Notes
from mesh.v1 import load_pb2, load_pb2_grpc
from tests.link.rig import run


class Controller:
    """What of a controller is asked here."""

    def __init__(self) -> None:
        self.snapshots: Latest[Any] = Latest()
        self.watchers = Watchers()
        self.reports: list[Report] = []

    def report(self, report: Report) -> float:
        self.reports.append(report)
        return 2.5


async def reply(controller: Any) -> load_pb2.LoadReply:
    server = GrpcServer()
    port = server.bind("127.0.0.1")
    await server.start(controller, Notes(MemoryCatalogue()))
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            waiting = load_pb2.Waiting(deployment="d", version_id="v", service="s", calls=2)
            report = load_pb2.LoadReport(reporter="gateway/1", seconds=1, waiting=[waiting])
            return await load_pb2_grpc.LoadsStub(channel).Report(report)
    finally:
        await server.stop()


def test_a_report_is_handed_on_and_answered_with_the_interval() -> None:
    controller = Controller()
    assert run(reply(controller)).interval == 2.5
    assert controller.reports == [Report("gateway/1", 1.0, waiting={("d", "v", "s"): 2})]
