"""A `@bentoml.service` object as a service class of the mesh, with all that it depends on."""

import inspect
import types
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from types import MappingProxyType
from typing import Any

import bentoml

# What get_current_service reads, and what no public function sets.
from _bentoml_sdk.service import set_current_service  # type: ignore[import-untyped]  # no types

from mesh.compat.bentoml import settings
from mesh.compat.bentoml.context import CallContext
from mesh.compat.bentoml.dependencies import Proxy
from mesh.compat.bentoml.errors import failure
from mesh.compat.bentoml.methods import method, page, probe, samples
from mesh.definition.local import LocalForms
from mesh.definition.manner import Hook, Hooks, Manner
from mesh.definition.spec import ServiceSpec, adopt, known_numbers
from mesh.edge import ALIVE, PAGE, READY, SAMPLES, Edge
from mesh.errors import ConfigError, DefinitionError
from mesh.io.rpc.typed import TypedService

_adapted: dict[int, tuple[Any, type]] = {}
"""Classes by the identity of the service that each was made of, which is kept alive."""


def adapt(service: Any) -> type:
    """The service class for a `bentoml.Service`, made once, and for those that it depends on.

    Its methods run unchanged on an instance of a subclass of the user's class. Raises ConfigError
    naming everything that can't be carried over.
    """
    known = _adapted.get(id(service))
    if known is not None:
        return known[1]
    settings.check(service)
    cls = _subclass(service.inner)
    _adapted[id(service)] = (service, cls)
    try:
        adopt(_spec(service, cls))
    except DefinitionError as error:
        del _adapted[id(service)]
        raise ConfigError(f"{service.name} cannot run on the mesh: {error.message}") from error
    except BaseException:
        del _adapted[id(service)]
        raise
    settings.notice(service)
    return cls


def _subclass(inner: type) -> type:
    """A class of its own for each service, because several may be made of one class."""

    def fill(namespace: dict[str, Any]) -> None:
        namespace["__module__"] = inner.__module__
        namespace["__qualname__"] = inner.__qualname__
        namespace["__doc__"] = inner.__doc__

    return types.new_class(inner.__name__, (inner,), exec_body=fill)


def _spec(service: Any, cls: type) -> ServiceSpec:
    edge = settings.edge(service)
    methods = {
        api.name: method(service, attribute, api, edge.prefix)
        for attribute, api in service.apis.items()
    }
    if not methods:
        raise DefinitionError(f"{service.name} has no method marked with @bentoml.api")
    doc = inspect.cleandoc(service.inner.__doc__ or "")
    known = known_numbers(service.inner, service.name)
    rpc = TypedService(service.name, doc, methods, known=known)
    return ServiceSpec(
        name=service.name,
        cls=cls,
        config=settings.config(service),
        methods=MappingProxyType(rpc.attached()),
        rpc=rpc,
        dependencies=MappingProxyType(
            {name: adapt(each.on) for name, each in service.dependencies.items()}
        ),
        doc=service.inner.__doc__ or "",
        edge=edge,
        manner=_manner(service, edge),
    )


def _manner(service: Any, edge: Edge) -> Manner:
    asked = {READY: edge.asks_ready, ALIVE: edge.asks_alive}
    probes = {name: probe(service, name) for name, is_asked in asked.items() if is_asked}
    if edge.metrics:
        probes[SAMPLES] = samples(service)
    if edge.edits_metrics:
        probes[PAGE] = page(service)
    return Manner(
        context=CallContext,
        handle=Proxy,
        failure=failure,
        hooks=Hooks(
            deployment=(
                *(each.resolve for each in service.models),
                *(call for _, call in _marked(service, "deployment")),
            ),
            startup=(
                partial(_enter, service),
                *(_bound(name) for name, _ in _marked(service, "startup")),
            ),
            shutdown=tuple(_bound(name) for name, _ in _marked(service, "shutdown")),
        ),
        probes=probes,
    )


def _marked(service: Any, stage: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The functions of the class that are hooks of a stage, in the order of their names."""
    for name in dir(service.inner):
        if name.startswith("__"):
            continue
        value = getattr(service.inner, name)
        if callable(value) and getattr(value, f"__bentoml_{stage}_hook__", False):
            yield name, value


def _bound(name: str) -> Hook:
    def run(instance: Any) -> Awaitable[None] | None:
        result = getattr(instance, name)()
        return result if inspect.isawaitable(result) else None

    return run


def _enter(service: Any, instance: Any) -> None:
    """What BentoML tells a worker about itself before the service's own hooks."""
    context = bentoml.server_context
    context.bento_name = service.name
    context.service_name = service.name
    context.service_type = "service"
    context.worker_index = 1
    prefix = settings.edge(service).prefix
    context.service_routes = [prefix + api.route for api in service.apis.values()]
    forms = LocalForms(instance, frozenset(service.apis))
    instance.bento_service = service
    instance.to_async, instance.to_sync = forms.to_async, forms.to_sync
    set_current_service(instance)
