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
    resources: Mapping[str, Any] = ...,
    traffic: Mapping[str, Any] = ...,
    fetch: Mapping[str, Any] = ...,
    threads: int = ...,
    replicas: int = ...,
    envs: Mapping[str, str] = ...,
) -> Callable[[T], T]: ...


def service(
    cls: T | None = None,
    /,
    *,
    name: str = "",
    resources: Mapping[str, Any] = MappingProxyType({}),
    traffic: Mapping[str, Any] = MappingProxyType({}),
    fetch: Mapping[str, Any] = MappingProxyType({}),
    threads: int = 1,
    replicas: int = 1,
    envs: Mapping[str, str] = MappingProxyType({}),
) -> T | Callable[[T], T]:
    """Makes a class a service; returns the class itself.

    `name` is the service's name (default: the class's), the rest is as in
    `mesh.config.ServiceConfig`. Raises DefinitionError naming the class, and the method, the
    parameter or the setting that is wrong.
    """
    options = {
        "name": name,
        "resources": dict(resources),
        "traffic": dict(traffic),
        "fetch": dict(fetch),
        "threads": threads,
        "replicas": replicas,
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
