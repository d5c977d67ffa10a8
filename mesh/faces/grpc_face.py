"""The controller over gRPC: mesh.v1.Routing and mesh.v1.Control."""

import logging
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import grpc
import grpc.aio

from mesh.control.controller import Controller
from mesh.control.plan import application
from mesh.control.status import DeploymentStatus
from mesh.errors import MeshError, Unavailable
from mesh.link import snapshot_wire
from mesh.v1 import control_pb2, control_pb2_grpc, routing_pb2, routing_pb2_grpc

_log = logging.getLogger(__name__)

LARGEST_DOCUMENT = 64 * 2**20
"""Bytes that a deployment's document may have."""
_OPTIONS = [
    ("grpc.max_receive_message_length", LARGEST_DOCUMENT),
    ("grpc.max_send_message_length", -1),
    # Two controllers on one port would share its watchers.
    ("grpc.so_reuseport", 0),
    # Watchers ask more often whether the controller still lives than gRPC likes by default.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
]
_STATUS = {status.value[0]: status for status in grpc.StatusCode}

Context = Any
"""grpc.aio.ServicerContext, whose type parameters differ between releases."""


class Routing(routing_pb2_grpc.RoutingServicer):
    """Gives every caller the routing table, and each newer one."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def Watch(  # noqa: N802  # the protocol's name
        self, request: routing_pb2.WatchRequest, context: Context
    ) -> AsyncIterator[routing_pb2.Snapshot]:
        """As of routing.proto."""
        _log.info("%s watches", request.watcher)
        # Tells the watcher at once that it is heard, though there may be no snapshot yet.
        await context.send_initial_metadata(())
        try:
            async for snapshot in self._controller.snapshots.watch():
                yield snapshot_wire.to_proto(snapshot)
        finally:
            _log.info("%s watches no more", request.watcher)


class Control(control_pb2_grpc.ControlServicer):
    """Applies, shows and deletes deployments. Code comes by target only, never pickled."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def Apply(  # noqa: N802  # the protocol's name
        self, request: control_pb2.ApplyRequest, context: Context
    ) -> control_pb2.ApplyReply:
        """As of control.proto."""
        try:
            revision = await self._controller.apply(application(request.deployment_json))
        except MeshError as error:
            await _abort(context, error)
        return control_pb2.ApplyReply(revision=revision)

    async def Status(  # noqa: N802  # the protocol's name
        self, request: control_pb2.StatusRequest, context: Context
    ) -> control_pb2.StatusReply:
        """As of control.proto."""
        try:
            found = self._controller.status(request.deployment)
        except MeshError as error:
            await _abort(context, error)
        return control_pb2.StatusReply(deployments=[_status(status) for status in found])

    async def Delete(  # noqa: N802  # the protocol's name
        self, request: control_pb2.DeleteRequest, context: Context
    ) -> control_pb2.DeleteReply:
        """As of control.proto."""
        try:
            await self._controller.delete(request.deployment)
        except MeshError as error:
            await _abort(context, error)
        return control_pb2.DeleteReply()


class GrpcServer:
    """Listens for gRPC on the loop it is made on."""

    def __init__(self) -> None:
        self._server = grpc.aio.server(options=_OPTIONS)

    def bind(self, host: str, port: int = 0) -> int:
        """Takes an address; returns the port, which the system chooses for 0.

        Raises:
            Unavailable: the address cannot be listened on.
        """
        try:
            return int(self._server.add_insecure_port(f"{host}:{port}"))
        except RuntimeError as error:
            raise Unavailable(f"cannot listen on {host}:{port}") from error

    async def start(self, controller: Controller) -> None:
        """Answers for `controller`."""
        # What is generated has no types.
        routing_pb2_grpc.add_RoutingServicer_to_server(  # type: ignore[no-untyped-call]
            Routing(controller), self._server
        )
        control_pb2_grpc.add_ControlServicer_to_server(  # type: ignore[no-untyped-call]
            Control(controller), self._server
        )
        await self._server.start()

    async def stop(self) -> None:
        """Stops; watchers are cut off."""
        await self._server.stop(0)


async def _abort(context: Context, error: MeshError) -> NoReturn:
    await context.abort(_STATUS[error.code.value], error.message)
    raise AssertionError("abort raises")


def _status(status: DeploymentStatus) -> control_pb2.DeploymentStatus:
    return control_pb2.DeploymentStatus(
        name=status.name,
        revision=status.revision,
        phase=status.phase.value,  # type: ignore[arg-type]  # both enums have the same numbers
        reason=status.reason,
        versions=[
            control_pb2.VersionStatus(
                name=version.name,
                weight=version.weight,
                services=[
                    control_pb2.ServiceStatus(
                        name=service.name,
                        desired=service.desired,
                        ready=service.ready,
                        reason=service.reason,
                    )
                    for service in version.services
                ],
            )
            for version in status.versions
        ],
    )
