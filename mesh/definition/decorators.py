"""`@service`: makes a class a service."""

import inspect
from collections.abc import Callable, Mapping
from types import FrameType, MappingProxyType
from typing import Any, TypeVar, overload

from mesh.definition.spec import define
from mesh.errors import DefinitionError

T = TypeVar("T", bound=type)


@overload
def service(cls: T, /) -> T: ...


@overload
def service(
    *,
    name: str = ...,
    package: str = ...,
    lock: str = ...,
    proto: str = ...,
    rpc_service: str = ...,
    resources: Mapping[str, Any] = ...,
    traffic: Mapping[str, Any] = ...,
    fetch: Mapping[str, Any] = ...,
    threads: int = ...,
    replicas: int = ...,
    scaling: Mapping[str, Any] = ...,
    envs: Mapping[str, str] = ...,
) -> Callable[[T], T]: ...


def service(
    cls: T | None = None,
    /,
    *,
    name: str = "",
    package: str = "",
    lock: str = "",
    proto: str = "",
    rpc_service: str = "",
    resources: Mapping[str, Any] = MappingProxyType({}),
    traffic: Mapping[str, Any] = MappingProxyType({}),
    fetch: Mapping[str, Any] = MappingProxyType({}),
    threads: int = 1,
    replicas: int = 1,
    scaling: Mapping[str, Any] | None = None,
    envs: Mapping[str, str] = MappingProxyType({}),
) -> T | Callable[[T], T]:
    """Makes a class a service; returns the class itself.

        @mesh.service(resources={"gpu": 0.5}, traffic={"timeout": 10}, threads=4)
        class Classifier:
            ...

    `name` is what the service is called (default: as the class), `package` the protobuf package
    of its typed gRPC service (default: the name in lower case, and `.v1`). `resources` is what
    one replica reserves: `cpu` in cores, `memory` in bytes or as "2Gi", `gpu` in devices, of
    which a fraction shares one, of the type `gpu_type`, and `custom` units of nodes. `traffic`
    says how it takes calls: `timeout` in seconds for each (60; None: no limit),
    `max_concurrency` at once in one replica, beyond which a call gets 429 (None: no limit),
    `concurrency` that scaling aims at, `external_queue` to have what is beyond that wait with
    callers, at most `queue_limit` calls with each (1000), `max_request_bytes` (what the gateway
    takes, 100 MiB). `fetch` bounds downloads of files given by URL: `max_bytes` (100 MiB),
    `timeout` in seconds in all (10), `redirects` (5), `networks` that may be reached although
    they are not public, as CIDR blocks. `threads` is how many plain methods run at once in one
    replica, `envs` are its environment variables. `replicas` is how many are started where the
    deployment does not say; `scaling` bounds their number instead (`min_replicas`,
    `max_replicas`, `policy`).

    `lock` is the file, seen from the module's folder, in which the numbers of protobuf fields
    are kept (default: named after the module, `app.proto.lock`); modules with versions of one
    service share one. `proto` is a .proto file, seen from the module's folder, that was written
    by hand: methods are bound by their names to the rpcs of its `rpc_service`, such as
    "pkg.Name", and nothing is generated.

    Raises DefinitionError naming the class, and the method, the parameter or the setting that is
    wrong.
    """
    options = {
        "name": name,
        "package": package,
        "lock": lock,
        "proto": proto,
        "rpc_service": rpc_service,
        "resources": dict(resources),
        "traffic": dict(traffic),
        "fetch": dict(fetch),
        "threads": threads,
        "replicas": replicas,
        "scaling": dict(scaling) if scaling is not None else None,
        "envs": dict(envs),
    }

    def decorate(cls: T) -> T:
        return _define(cls, options, inspect.currentframe())

    return decorate if cls is None else decorate(cls)


def _define(cls: T, options: Mapping[str, Any], frame: FrameType | None) -> T:
    if not isinstance(cls, type):
        raise DefinitionError(f"{cls!r}: @mesh.service goes on a class")
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    # Annotations in quotes may name what is local to the function around the class.
    define(cls, options, dict(frame.f_locals) if frame is not None else {})
    return cls
