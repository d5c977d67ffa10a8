"""A gateway process and a replica process with the controller that they report to."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace

import grpc
import grpc.aio
import pytest

from gateway.app import _Parts
from gateway.settings import Settings
from mesh.control.latest import Latest
from mesh.control.loads import Report
from mesh.control.watchers import Watchers
from mesh.faces.grpc_face import Routing
from mesh.faces.loads_face import Loads
from mesh.replica.host import ReplicaHost
from mesh.traffic.snapshot import Replica, Snapshot
from mesh.v1 import load_pb2_grpc
from tests.gateway.asgi_client import ask
from tests.link.rig import run, until
from tests.replica.rig import launch_of, snapshot, version
from tests.replica.services import Above, Below


class Controller:
    """Gives snapshots that the test makes, and takes reports, of which it wants few."""

    def __init__(self) -> None:
        self.table: Latest[Snapshot] = Latest()
        self.reports: list[Report] = []
        self._server = grpc.aio.server()
        self.address = ""

    def report(self, report: Report) -> float:
        self.reports.append(report)
        return 60.0

    def waiting(self, reporter: str) -> list[dict[tuple[str, str, str], int]]:
        return [dict(each.waiting) for each in self.reports if each.reporter == reporter]

    async def start(self) -> None:
        self._server.add_generic_rpc_handlers((Routing(self.table, Watchers()).handler(),))
        load_pb2_grpc.add_LoadsServicer_to_server(Loads(self), self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(0)


@pytest.fixture
def _own_logs() -> Iterator[None]:
    """What a gateway process does to logs is undone."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()  # or they would be closed
    yield
    root.handlers[:] = before
    root.setLevel(level)


def table(number: int, above: str, below: str) -> Snapshot:
    """The graph of Above and Below; empty addresses are of services that sleep."""
    made = version(Above, {})
    services = {
        name: replace(
            made.services[name],
            replicas=(Replica(f"{name}-{address}", address),) if address else (),
            cold_start=60.0,
        )
        for name, address in (("Above", above), ("Below", below))
    }
    return snapshot(replace(made, services=services), number=number)


@pytest.mark.usefixtures("_own_logs")
def test_a_request_to_a_graph_that_sleeps_is_reported_at_once_by_whoever_waits() -> None:
    async def main() -> None:
        controller = Controller()
        await controller.start()
        controller.table.put(table(1, "", ""))
        parts = _Parts(Settings(controller.address, "gateway/1"))
        await parts.start()
        # The regular reports are over, for a minute.
        await until(lambda: controller.waiting("gateway/1"))
        asking = asyncio.ensure_future(
            ask(
                parts.gateway,
                "POST",
                "/to_async",
                b'{"x": 1}',
                [("content-type", "application/json")],
            )
        )
        wish = {("demo", "main-1", "Above"): 1}
        await until(lambda: wish in controller.waiting("gateway/1"))
        hosts = {
            cls: ReplicaHost(launch_of(cls, name, controller=controller.address))
            for cls, name in ((Above, "one"), (Below, "two"))
        }
        above = await asyncio.to_thread(hosts[Above].start)
        await until(lambda: controller.waiting("replica/one"))
        controller.table.put(table(2, above, ""))
        wish = {("demo", "main-1", "Below"): 1}
        await until(lambda: wish in controller.waiting("replica/one"))
        below = await asyncio.to_thread(hosts[Below].start)
        controller.table.put(table(3, above, below))
        reply = await asking
        assert (reply.status, reply.body) == (200, b"[2,2]")
        parts._reporter.wake()
        await until(lambda: any(each.outcomes for each in controller.reports))
        (outcomes,) = (each.outcomes for each in controller.reports if each.outcomes)
        assert outcomes["demo", "main-1"].requests == 1
        await parts.close()
        for host in hosts.values():
            await asyncio.to_thread(host.stop)
        await controller.stop()

    run(main())
