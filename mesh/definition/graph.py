"""A service and everything that it depends on."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mesh.definition.spec import ServiceSpec, service_spec
from mesh.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Graph:
    """An entry service and all services that it leads to, itself first, by name."""

    entry: ServiceSpec
    services: Mapping[str, ServiceSpec]


def resolve(cls: type) -> Graph:
    """The graph of an entry service.

    Raises DefinitionError for what is no service, for a service that depends on itself, directly
    or through others, and for two services of one name.
    """
    services: dict[str, ServiceSpec] = {}
    _add(cls, services, path=())
    return Graph(service_spec(cls), MappingProxyType(services))


def _add(cls: type, services: dict[str, ServiceSpec], path: tuple[type, ...]) -> None:
    spec = service_spec(cls)
    if cls in path:
        circle = [*path[path.index(cls) :], cls]
        names = " -> ".join(service_spec(each).name for each in circle)
        raise DefinitionError(f"services depend on each other in a circle: {names}")
    known = services.setdefault(spec.name, spec)
    if known.cls is not cls:
        raise DefinitionError(
            f"two services are called {spec.name!r}: {_place(known.cls)} and {_place(cls)}"
        )
    for dependency in spec.dependencies.values():
        _add(dependency, services, (*path, cls))


def _place(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
