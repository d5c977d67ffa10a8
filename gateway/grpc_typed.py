"""Typed gRPC services: the methods of entry services by the paths of their rpcs."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gateway.forward import PickMethod
from gateway.grpc import Form
from mesh.call import TYPED
from mesh.errors import Unimplemented
from mesh.link.dispatch import Dispatcher
from mesh.traffic.snapshot import EMPTY, Endpoint, Method, Service, Snapshot, Version

_MOST_NAMED = 10
"""Services or rpcs that an error names at most."""


class TypedRpc(NamedTuple):
    """An rpc; `endpoint` takes its calls where nothing else names one."""

    form: Form
    endpoint: str


class TypedRpcs:
    """The typed rpcs of the newest snapshot, worked out once for each snapshot."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._snapshot = EMPTY
        self._by_path: Mapping[str, TypedRpc] = {}

    def find(self, path: str) -> TypedRpc | None:
        """The rpc with this path; None if there is none at any endpoint."""
        snapshot = self._dispatcher.snapshot
        if snapshot is not self._snapshot:
            self._by_path = rpcs_by_path(snapshot)
            self._snapshot = snapshot
        return self._by_path.get(path)


def rpcs_by_path(snapshot: Snapshot) -> dict[str, TypedRpc]:
    """Every typed rpc. The default endpoint takes those that it has, else the first that has it."""
    found: dict[str, TypedRpc] = {}
    for endpoint in by_precedence(snapshot):
        for service in entries(snapshot, endpoint):
            for path in service.rpcs:
                if path not in found:
                    found[path] = TypedRpc(_form(path), endpoint.name)
    return found


def by_precedence(snapshot: Snapshot) -> list[Endpoint]:
    """All endpoints, the default one first, else in their order."""
    default = snapshot.default_endpoint
    return sorted(snapshot.endpoints.values(), key=lambda each: each.name != default)


def entries(snapshot: Snapshot, endpoint: Endpoint) -> Iterator[Service]:
    """The entry services of all versions that the endpoint leads to."""
    for share in endpoint.deployments:
        deployment = snapshot.deployments.get(share.deployment)
        for version in deployment.versions if deployment is not None else ():
            if (service := version.services.get(version.entry)) is not None:
                yield service


def unknown_rpc(snapshot: Snapshot, path: str) -> Unimplemented:
    """Why there is no call for `path`, with what there is instead."""
    service = path.rpartition("/")[0].removeprefix("/")
    rpcs: dict[str, None] = {}
    services: dict[str, None] = {}
    for endpoint in by_precedence(snapshot):
        for entry in entries(snapshot, endpoint):
            if not entry.rpc_service:
                continue
            services[entry.rpc_service] = None
            if entry.rpc_service == service:
                rpcs.update(dict.fromkeys(method.rpc for method in entry.methods.values()))
    if rpcs:
        return Unimplemented(f"there is no gRPC method {path!r}; {service} has {_listed(rpcs)}")
    services["mesh.v1.Inference"] = None
    return Unimplemented(f"there is no gRPC method {path!r}; there are {_listed(services)}")


def _listed(names: Mapping[str, None]) -> str:
    shown = list(names)[:_MOST_NAMED]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _form(path: str) -> Form:
    def pick(version: Version) -> tuple[Service, Method]:
        service = version.services[version.entry]
        method = service.rpcs.get(path)
        if method is None:
            raise _not_in(version, service, path)
        return service, method

    def picker(_: bytes) -> PickMethod:
        return pick

    return Form(TYPED, None, picker, reads_message=False)


def _not_in(version: Version, service: Service, path: str) -> Unimplemented:
    text = f"version {version.name!r} of {service.name} has no gRPC method {path!r}"
    if service.rpc_service:
        rpcs = dict.fromkeys(method.rpc for method in service.methods.values())
        text += f"; it has {service.rpc_service} with {_listed(rpcs)}"
    return Unimplemented(text)
