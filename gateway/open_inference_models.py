"""The models of an endpoint, as the routing table has them."""

import json
import zlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gateway.forward import Aim, PickMethod
from mesh.errors import Code, MeshError, NotFound, Unavailable
from mesh.traffic.snapshot import Method, Service, Snapshot, Version

Document = Mapping[str, Any]
"""One model: "inputs" and "outputs", each with "name", "datatype", "shape"; "streams"."""


@lru_cache(maxsize=256)
def documents(compressed: bytes) -> Mapping[str, Document]:
    """The models of a service by the names of their methods, from what a snapshot has of them."""
    if not compressed:
        return {}
    found: dict[str, Document] = json.loads(zlib.decompress(compressed))
    return found


@dataclass(frozen=True, slots=True)
class Model:
    """A model in one version. `is_ready` says whether a replica takes its calls."""

    name: str
    version: str
    is_ready: bool
    document: Document


def models(snapshot: Snapshot, endpoint: str, hidden: Container[str] = ()) -> Iterator[Model]:
    """All models of the endpoint, those of one version after the other.

    Without those of the deployments whose names are `hidden`.
    """
    for version in _versions(snapshot, endpoint, hidden):
        service = version.services[version.entry]
        for method, document in documents(service.models).items():
            yield Model(f"{service.name}.{method}", version.name, bool(service.replicas), document)


def find(
    snapshot: Snapshot, endpoint: str, name: str, version: str, hidden: Container[str] = ()
) -> list[Model]:
    """The model of this name in each version that has it; in one with `version`, unless empty.

    Not in `hidden` deployments. Raises NotFound if there is none.
    """
    found = [
        model
        for model in models(snapshot, endpoint, hidden)
        if name in (model.name, model.name.partition(".")[2])
    ]
    if not found:
        raise _unknown(name)
    if version:
        found = [model for model in found if model.version == version]
        if not found:
            raise NotFound(f"model {name!r} has no version {version!r}")
    return found


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no model {name!r}")


def _versions(snapshot: Snapshot, endpoint: str, hidden: Container[str] = ()) -> Iterator[Version]:
    """The versions of the endpoint's deployments, without those that are still on their way."""
    for name in snapshot.endpoints[endpoint].reachable:
        deployment = snapshot.deployments.get(name) if name not in hidden else None
        for version in deployment.versions if deployment is not None else ():
            if version.name != version.id and version.entry in version.services:
                yield version


def is_ready(snapshot: Snapshot, endpoint: str) -> bool:
    """Whether a version of the endpoint takes calls; none does of an endpoint that is not there."""
    if endpoint not in snapshot.endpoints:
        return False
    versions = _versions(snapshot, endpoint)
    return any(version.services[version.entry].replicas for version in versions)


def check_ready(found: list[Model]) -> None:
    """Raises Unavailable unless a version of the model, out of those found, takes calls."""
    if not any(model.is_ready for model in found):
        raise Unavailable(f"no replica of model {found[0].name!r} is ready")


def picker(name: str, *, streams: bool) -> PickMethod:
    """What finds the method of the model; without `streams` it must not be one that yields.

    It raises NotFound if there is no such model, and UNIMPLEMENTED for one that yields.
    """

    def pick(version: Version) -> tuple[Service, Method]:
        service = version.services[version.entry]
        known = documents(service.models)
        method = name.removeprefix(f"{service.name}.")
        if method not in known:
            raise _unknown(name)
        if known[method]["streams"] and not streams:
            raise MeshError(
                f"model {name!r} has any number of responses: use ModelStreamInfer or"
                " generate_stream",
                code=Code.UNIMPLEMENTED,
                http_status=400,
            )
        return service, service.methods[method]

    return pick


def name_of(aim: Aim) -> str:
    """The whole name of the model that a request is for."""
    return f"{aim.target.service.name}.{aim.target.method.name}"
