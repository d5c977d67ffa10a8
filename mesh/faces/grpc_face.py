"""The controller over gRPC: mesh.v1.Routing, mesh.v1.Control and mesh.v1.Loads.

Control wants a token of somebody who may do what they ask, as metadata `authorization: Bearer …`. A
watch of the whole table, which has the keys of upstreams, wants the owner's, or that of another
administrator of all organizations. A watch of one deployment has none
and is open, as Loads is: replicas run users' code and are not given the token.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, NoReturn

import grpc
import grpc.aio

from mesh.access.contract import Access
from mesh.access.principal import OWNER, Area, Principal, Verb
from mesh.control.controller import Controller
from mesh.control.latest import Latest
from mesh.control.plan import application
from mesh.control.status import DeploymentStatus
from mesh.control.watchers import Watcher, Watchers
from mesh.errors import MeshError, PermissionDenied, Unavailable
from mesh.faces.loads_face import Loads
from mesh.faces.noted import NotedVerbs
from mesh.faces.notes import Notes
from mesh.faces.rest.within import Within
from mesh.faces.tokens import bearer
from mesh.faces.updates import Updates
from mesh.link.watch import HEARD
from mesh.traffic.snapshot import Snapshot
from mesh.v1 import (
    control_pb2,
    control_pb2_grpc,
    load_pb2_grpc,
    routing_pb2,
    routing_pb2_grpc,
)

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


class Doorkeeper:
    """Ends calls of those who `access` does not let in; without it everyone is the owner."""

    def __init__(self, access: Access | None = None) -> None:
        self._access = access

    async def check(self, context: Context, verb: Verb) -> Principal:
        """Who calls, if they may do this to deployments; else the call is ended."""
        try:
            principal = await self._principal(context)
            principal.require(verb, Area.DEPLOYMENTS)
        except MeshError as error:
            await _abort(context, error)
        return principal

    async def check_owner(self, context: Context) -> None:
        """Returns if who calls may see all of all organizations; else the call is ended."""
        try:
            principal = await self._principal(context)
            principal.require(Verb.OPERATE, Area.CLUSTERS)
            if not principal.is_super_admin:
                raise PermissionDenied("this is for administrators of all organizations")
        except MeshError as error:
            await _abort(context, error)

    async def _principal(self, context: Context) -> Principal:
        if self._access is None:
            return OWNER
        fields = dict(context.invocation_metadata() or ())
        return await self._access.admit(bearer(fields.get("authorization", "").encode()).decode())


class Routing(routing_pb2_grpc.RoutingServicer):
    """Gives every caller the routing table, and what changes in it."""

    def __init__(
        self, snapshots: Latest[Snapshot], watchers: Watchers, door: Doorkeeper | None = None
    ) -> None:
        self._snapshots = snapshots
        self._watchers = watchers
        self._door = door or Doorkeeper()
        self._updates = Updates()

    def handler(self) -> grpc.GenericRpcHandler:
        """Answers Watch, whose updates are serialized once for all watchers."""
        watch = grpc.stream_stream_rpc_method_handler(
            self.Watch, routing_pb2.WatchRequest.FromString, response_serializer=None
        )
        name = routing_pb2.DESCRIPTOR.services_by_name["Routing"].full_name
        return grpc.method_handlers_generic_handler(name, {"Watch": watch})

    async def Watch(  # noqa: N802  # the protocol's name
        self, requests: AsyncIterator[routing_pb2.WatchRequest], context: Context
    ) -> None:
        """As of routing.proto; writes serialized updates, which watchers share."""
        first = await anext(aiter(requests), None)
        if first is None:
            return  # it left before it said who it is
        if not first.deployment:
            await self._door.check_owner(context)
        # Tells the watcher at once that it is heard, though there may be no snapshot yet.
        await context.send_initial_metadata(((HEARD, "1"),))
        watcher = self._watchers.add(first.watcher, first.deployment)
        _log.info("%s watches", watcher.name)
        base = self._base(first)
        if base is not None:
            watcher.sent = base.number
            self._watchers.applied(watcher, base.number)
        listening = asyncio.ensure_future(self._listen(watcher, requests))
        try:
            await self._send(watcher, base, context)
        finally:
            self._watchers.remove(watcher)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            _log.info("%s watches no more", watcher.name)

    async def _send(self, watcher: Watcher, last: Snapshot | None, context: Context) -> None:
        """Sends what is new since `last`, and goes on for ever."""
        name = watcher.deployment
        if last is not None and name:
            last = self._updates.only(last, name)
        part = (lambda snapshot: snapshot.deployments.get(name)) if name else None
        async with aclosing(self._snapshots.watch(part)) as news:
            async for snapshot in news:
                # Of what one deployment needs, no more is held while it does not change.
                new = self._updates.only(snapshot, name) if name else snapshot
                if last is new or (last and name and last.deployments == new.deployments):
                    continue
                update = self._updates.update(last, new)
                last = new
                watcher.sent = new.number
                await context.write(update)

    async def _listen(
        self, watcher: Watcher, requests: AsyncIterator[routing_pb2.WatchRequest]
    ) -> None:
        async for request in requests:
            newest = self._snapshots.value
            if newest is not None and request.epoch == newest.epoch:
                self._watchers.applied(watcher, request.number)

    def _base(self, request: routing_pb2.WatchRequest) -> Snapshot | None:
        """The snapshot that the watcher has, if it is still kept."""
        has = (request.epoch, request.number)
        kept = self._snapshots.kept
        return next((each for each in kept if (each.epoch, each.number) == has), None)


class Control(control_pb2_grpc.ControlServicer):
    """Applies, shows and deletes deployments. Code comes by target only, never pickled.

    What changes something goes to `notes`.
    """

    def __init__(self, controller: Controller, door: Doorkeeper, notes: Notes) -> None:
        self._controller = controller
        self._door = door
        self._notes = notes

    async def Apply(  # noqa: N802  # the protocol's name
        self, request: control_pb2.ApplyRequest, context: Context
    ) -> control_pb2.ApplyReply:
        """As of control.proto."""
        principal = await self._door.check(context, Verb.WRITE)
        try:
            verbs = NotedVerbs(Within(self._controller, principal), self._notes)
            revision = await verbs.apply(application(request.deployment_json))
        except MeshError as error:
            await _abort(context, error)
        return control_pb2.ApplyReply(revision=revision)

    async def Status(  # noqa: N802  # the protocol's name
        self, request: control_pb2.StatusRequest, context: Context
    ) -> control_pb2.StatusReply:
        """As of control.proto."""
        principal = await self._door.check(context, Verb.READ)
        await self._controller.until_opened()
        try:
            found = Within(self._controller, principal).status(request.deployment)
        except MeshError as error:
            await _abort(context, error)
        return control_pb2.StatusReply(deployments=[_status(status) for status in found])

    async def Delete(  # noqa: N802  # the protocol's name
        self, request: control_pb2.DeleteRequest, context: Context
    ) -> control_pb2.DeleteReply:
        """As of control.proto."""
        principal = await self._door.check(context, Verb.WRITE)
        try:
            verbs = NotedVerbs(Within(self._controller, principal), self._notes)
            await verbs.delete(request.deployment)
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

    async def start(
        self, controller: Controller, notes: Notes, access: Access | None = None
    ) -> None:
        """Answers for `controller`, to those who `access` lets in; without it to everyone.

        What they do that changes something goes to `notes`.
        """
        door = Doorkeeper(access)
        routing = Routing(controller.snapshots, controller.watchers, door)
        # What was added first answers, so for Watch it is this one and not the generated one.
        self._server.add_generic_rpc_handlers((routing.handler(),))
        # What is generated has no types.
        routing_pb2_grpc.add_RoutingServicer_to_server(  # type: ignore[no-untyped-call]
            routing, self._server
        )
        control_pb2_grpc.add_ControlServicer_to_server(  # type: ignore[no-untyped-call]
            Control(controller, door, notes), self._server
        )
        load_pb2_grpc.add_LoadsServicer_to_server(  # type: ignore[no-untyped-call]
            Loads(controller), self._server
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
