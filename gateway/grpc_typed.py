"""Typed gRPC services: the methods of entry services by the paths of their rpcs."""

from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

from gateway.affected import Affected
from gateway.forward import PickMethod
from gateway.grpc import Form
from mesh.call import TYPED
from mesh.errors import Unimplemented
from mesh.traffic.snapshot import Endpoint, Method, Service, Snapshot, Version

_MOST_NAMED = 10
"""Services or rpcs that an error names at most."""


class TypedRpc(NamedTuple):
    """An rpc; `endpoint` takes its calls where nothing else names one."""

    form: Form
    endpoint: str


class TypedRpcs:
    """The typed rpcs of the newest snapshot; a snapshot costs what it changed of them."""

    def __init__(self) -> None:
        self._affected = Affected()
        self._paths: dict[str, frozenset[str]] = {}  # by endpoint
        self._endpoints: dict[str, set[str]] = {}  # by path
        self._found: dict[str, TypedRpc] = {}

    def find(self, snapshot: Snapshot, path: str) -> TypedRpc | None:
        """The rpc with this path; None if there is none at any endpoint.

        The default endpoint takes it if it has it, else the first by name that does.
        """
        if snapshot is not self._affected.snapshot:
            self._follow(snapshot)
        found = self._found.get(path)
        if found is None and path in self._endpoints:
            names, default = self._endpoints[path], snapshot.default_endpoint
            found = TypedRpc(_form(path), default if default in names else min(names))
            self._found[path] = found
        return found

    def _follow(self, snapshot: Snapshot) -> None:
        self._found.clear()
        for name in self._affected.by(snapshot):
            before = self._paths.pop(name, frozenset())
            endpoint = snapshot.endpoints.get(name)
            services = entries(snapshot, endpoint) if endpoint is not None else ()
            now = frozenset(path for service in services for path in service.rpcs)
            if now:
                self._paths[name] = now
            for path in now - before:
                self._endpoints.setdefault(path, set()).add(name)
            for path in before - now:
                self._endpoints[path].remove(name)
                if not self._endpoints[path]:
                    del self._endpoints[path]


def by_precedence(snapshot: Snapshot) -> list[Endpoint]:
    """All endpoints, the default one first, else by name: the same in all gateways."""
    default = snapshot.default_endpoint
    return sorted(snapshot.endpoints.values(), key=lambda each: (each.name != default, each.name))


def entries(
    snapshot: Snapshot, endpoint: Endpoint, hidden: Container[str] = ()
) -> Iterator[Service]:
    """The entry services of all versions that it leads to, but for those of `hidden` ones."""
    for name in endpoint.reachable:
        deployment = snapshot.deployments.get(name) if name not in hidden else None
        for version in deployment.versions if deployment is not None else ():
            if (service := version.services.get(version.entry)) is not None:
                yield service


def unknown_rpc(snapshot: Snapshot, path: str, hidden: Container[str] = ()) -> Unimplemented:
    """Why there is no call for `path`, with what there is instead, but in `hidden` deployments."""
    service = path.rpartition("/")[0].removeprefix("/")
    rpcs: dict[str, None] = {}
    services: dict[str, None] = {}
    for endpoint in by_precedence(snapshot):
        for entry in entries(snapshot, endpoint, hidden):
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
