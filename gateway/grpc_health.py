"""grpc.health.v1: which services can be called through this gateway now.

https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from collections.abc import AsyncGenerator, Callable, Iterator

from google.protobuf.message import DecodeError
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from mesh.errors import InvalidArgument, NotFound, Unavailable
from mesh.link.dispatch import Dispatcher
from mesh.traffic.snapshot import Snapshot, Version

CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
"""The paths of its rpcs."""
_OWN = frozenset({"mesh.v1.Inference", "inference.GRPCInferenceService"})


def is_serving(
    snapshot: Snapshot, endpoint: str, name: str, is_reached: Callable[[Version], bool]
) -> bool | None:
    """Whether the service `name` can be called at `endpoint` (empty: at any); None: unknown.

    The name is that of a typed gRPC service, of a service's class, or of an endpoint. The empty
    one, and those of services through which all others are called, stand for any.
    """
    found = [
        version
        for owner, version in _reachable(snapshot)
        if endpoint in ("", owner) and _goes_by(name, owner, version)
    ]
    if _leads_outside(snapshot, endpoint, name):
        return True
    if found:
        return any(map(is_reached, found))
    is_known = not name or name in _OWN or name in snapshot.endpoints
    return False if is_known else None


def _reachable(snapshot: Snapshot) -> Iterator[tuple[str, Version]]:
    """The versions that take requests, each with its endpoint's name."""
    for endpoint in snapshot.endpoints.values():
        for name in endpoint.shares.members:
            if (deployment := snapshot.deployments.get(name)) is not None:
                for version in deployment.shares.members:
                    yield endpoint.name, version


def _leads_outside(snapshot: Snapshot, endpoint: str, name: str) -> bool:
    """Whether a server outside the mesh, of which no more is known, takes such calls."""
    return any(
        upstream.weight
        for each in snapshot.endpoints.values()
        if each.upstreams and endpoint in ("", each.name) and name in ("", each.name, *_OWN)
        for upstream in each.upstreams
    )


def _goes_by(name: str, endpoint: str, version: Version) -> bool:
    if not name or name in _OWN or name == endpoint:
        return True
    entry = version.services.get(version.entry)
    return entry is not None and name in (entry.rpc_service, entry.name)


class Health:
    """Answers by the newest snapshot and the links to its replicas."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._is_leaving = False

    def leave(self) -> None:
        """Serves nothing any more; ends all watches, whose clients are to ask another gateway."""
        self._is_leaving = True
        self._dispatcher.wake()

    def _serving(self, endpoint: str, name: str) -> bool | None:
        dispatcher = self._dispatcher
        serving = is_serving(dispatcher.snapshot, endpoint, name, dispatcher.choices.is_reached)
        return False if serving and self._is_leaving else serving

    def check(self, endpoint: str, message: bytes) -> bytes:
        """The serialized reply to a serialized request for `endpoint` (empty: any).

        Raises:
            InvalidArgument: the message is no request.
            NotFound: there is no such service.
        """
        name = _name(message)
        serving = self._serving(endpoint, name)
        if serving is None:
            raise NotFound(f"there is no service {name!r}")
        return _reply(serving=serving)

    async def watch(self, endpoint: str, message: bytes) -> AsyncGenerator[bytes]:
        """The reply as it is, and again whenever it is another.

        Raises:
            InvalidArgument: the message is no request.
            Unavailable: the gateway is going away.
        """
        name = _name(message)
        last = b""
        while True:
            # Nothing is awaited between this look and the wait, so no change is missed.
            now = _reply(serving=self._serving(endpoint, name))
            if now != last:
                last = now
                yield now
            elif self._is_leaving:
                raise Unavailable("the gateway is going away")
            else:
                await self._dispatcher.changed()


def _name(message: bytes) -> str:
    try:
        name: str = HealthCheckRequest.FromString(message).service
    except DecodeError:
        raise InvalidArgument("the message is not a HealthCheckRequest") from None
    return name


def _reply(*, serving: bool | None) -> bytes:
    status = {
        True: HealthCheckResponse.SERVING,
        False: HealthCheckResponse.NOT_SERVING,
        None: HealthCheckResponse.SERVICE_UNKNOWN,
    }[serving]
    reply: bytes = HealthCheckResponse(status=status).SerializeToString()
    return reply
