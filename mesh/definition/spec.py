"""A service as its class defines it, read once, at decoration."""

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeGuard

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from mesh.config import ServiceConfig, parse
from mesh.definition.context import Context
from mesh.definition.depends import Dependency
from mesh.definition.manner import OWN, Manner
from mesh.definition.methods import ApiOptions, api_options
from mesh.edge import PLAIN, Edge
from mesh.errors import ConfigError, DefinitionError
from mesh.io.annotation import resolve
from mesh.io.rpc.descriptors import file_set
from mesh.io.rpc.numbers import lock_path, read_lock
from mesh.io.rpc.protoc import compiled
from mesh.io.rpc.typed import BoundService, TypedService
from mesh.io.spec import MethodSpec, method_spec

_OPTIONS = "__mesh_options__"
_TAKEN = ("google.", "grpc.", "inference.", "mesh.v1.")
"""Packages whose services the gateway serves itself, or that protobuf has."""
_CONTRACT = ("package", "lock", "proto", "rpc_service", "numbers", "files")
"""Options that are about the service's gRPC."""
_SERVICE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_PACKAGE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_METHOD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_ROUTE = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")
_RESERVED = (
    *("/livez", "/readyz", "/healthz", "/metrics"),
    *("/schema.json", "/docs.json", "/endpoints.json"),
)
"""Paths that the gateway answers itself."""
_RESERVED_PREFIXES = ("/e/", "/static_content/")
"""Of the path form of an endpoint, and of the files of the gateway's page."""


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A service as its class defines it.

    `methods` by the names that callers say; `dependencies` by attribute, each the class of
    another service. `rpc` is its typed gRPC service, whose codecs the methods have. `edge` says
    how the gateway serves its HTTP clients, `manner` how it is run.
    """

    name: str
    cls: type
    config: ServiceConfig
    methods: Mapping[str, MethodSpec]
    dependencies: Mapping[str, type]
    doc: str
    rpc: TypedService
    edge: Edge = PLAIN
    manner: Manner = OWN


# Classes live as long as the process, and so do their specs.
_SPECS: dict[type, ServiceSpec] = {}


def define(cls: type, options: Mapping[str, Any], local_names: Mapping[str, Any]) -> ServiceSpec:
    """Makes `cls` a service with the decorator's `options`, plain values that go with the class.

    `local_names` help to read annotations in quotes. Raises DefinitionError.
    """
    setattr(cls, _OPTIONS, {**options, **_contract(cls, options)})
    try:
        spec = _SPECS[cls] = _read(cls, local_names)
    except DefinitionError:
        delattr(cls, _OPTIONS)
        raise
    return spec


def adopt(spec: ServiceSpec) -> None:
    """Makes the class of `spec` the service that it describes."""
    setattr(spec.cls, _OPTIONS, {})
    _SPECS[spec.cls] = spec


def is_service(value: object) -> TypeGuard[type]:
    """Whether the value is a class that was decorated itself, not only a base of it."""
    return isinstance(value, type) and _OPTIONS in vars(value)


def service_spec(cls: type) -> ServiceSpec:
    """What `@service` read from the class. Raises DefinitionError if it is no service."""
    spec = _SPECS.get(cls)
    if spec is None:
        if not is_service(cls):
            raise DefinitionError(f"{_title(cls)} is not a service: decorate with @mesh.service")
        # A class that was sent here by value was decorated elsewhere.
        spec = _SPECS[cls] = _read(cls, {})
    return spec


def _read(cls: type, local_names: Mapping[str, Any]) -> ServiceSpec:
    options = dict(vars(cls)[_OPTIONS])
    name = options.pop("name") or cls.__name__
    contract = {name: options.pop(name) for name in _CONTRACT}
    if not _SERVICE_NAME.fullmatch(name):
        raise DefinitionError(f"{_title(cls)}: {name!r} is no name for a service")
    try:
        config = parse(ServiceConfig, options, what=_title(cls))
    except ConfigError as error:
        raise DefinitionError(error.message) from error
    doc = inspect.cleandoc(cls.__doc__ or "")
    rpc = _typed(cls, name, doc, _methods(cls, local_names), contract)
    return ServiceSpec(
        name=name,
        cls=cls,
        config=config,
        methods=MappingProxyType(rpc.attached()),
        dependencies=MappingProxyType(_dependencies(cls)),
        doc=doc,
        rpc=rpc,
    )


def _typed(
    cls: type, name: str, doc: str, methods: Mapping[str, MethodSpec], contract: Mapping[str, Any]
) -> TypedService:
    """The typed gRPC service, generated or bound to a contract that there is."""
    if contract["files"]:
        files = list(FileDescriptorSet.FromString(contract["files"]).file)
        _refuse_taken(cls, contract["rpc_service"].rpartition(".")[0])
        return BoundService(name, methods, files, contract["rpc_service"], where=_title(cls))
    package, known = contract["package"], contract["numbers"]
    if package and not _PACKAGE.fullmatch(package):
        raise DefinitionError(
            f"{_title(cls)}: {package!r} is no package of protobuf such as 'acme.vision.v1'"
        )
    _refuse_taken(cls, package)
    return TypedService(name, doc, methods, package=package, known=known)


def _refuse_taken(cls: type, package: str) -> None:
    if f"{package}.".startswith(_TAKEN):
        raise DefinitionError(
            f"{_title(cls)}: package {package!r} is not for services: the mesh or gRPC has it"
        )


def _contract(cls: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """What lies in files about the service's gRPC, so that it goes with a class sent by value.

    Raises DefinitionError for a file that is not there or is wrong.
    """
    name, proto = options["name"] or cls.__name__, options["proto"]
    for option in _CONTRACT[:4]:
        if not isinstance(options[option], str):
            raise DefinitionError(f"{_title(cls)}: {option} is a text, not {options[option]!r}")
    if bool(proto) != bool(options["rpc_service"]):
        raise DefinitionError(f"{_title(cls)}: proto and rpc_service go together")
    if not proto:
        return {"numbers": known_numbers(cls, name, options["lock"]), "files": b""}
    if options["package"]:
        raise DefinitionError(f"{_title(cls)}: package is what the file of proto says")
    home = Path(getattr(sys.modules.get(cls.__module__), "__file__", None) or Path.cwd() / "_")
    path = home.parent / proto
    roots = [each for each in path.parents if each.is_relative_to(home.parent)]
    try:
        files = compiled(path, roots or [path.parent])
    except ConfigError as error:
        raise DefinitionError(f"{_title(cls)}: {error.message}") from error
    return {"numbers": {}, "files": file_set(files)}


def lock_of(cls: type) -> Path | None:
    """The file with the numbers of a service's protobuf fields; None for a class of no module."""
    named = vars(cls).get(_OPTIONS, {}).get("lock", "")
    return _lock_of(cls, named)


def _lock_of(cls: type, named: str) -> Path | None:
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if not file:
        return None
    return Path(file).parent / named if named else lock_path(file)


def known_numbers(cls: type, service: str, named: str = "") -> dict[str, Any]:
    """The numbers of protobuf fields that clients of the service know.

    They are in the lock beside the module, or in the one `named` so, and go with a class that is
    sent by value. Raises DefinitionError for a lock that is none.
    """
    path = _lock_of(cls, named)
    try:
        found: dict[str, Any] = {} if path is None else read_lock(path).get(service, {})
    except ConfigError as error:
        raise DefinitionError(error.message) from error
    return found


def _methods(cls: type, local_names: Mapping[str, Any]) -> dict[str, MethodSpec]:
    nested = {name: value for name, value in vars(cls).items() if isinstance(value, type)}
    names = {**local_names, **nested}
    methods: dict[str, MethodSpec] = {}
    routes: dict[str, str] = {}
    for attribute in dir(cls):
        func = inspect.getattr_static(cls, attribute)
        options = api_options(func)
        if options is None:
            _refuse_wrapped(cls, attribute, func)
            continue
        method = _method(cls, attribute, func, options, names)
        if method.name in methods:
            raise DefinitionError(f"{_title(cls)}: two methods are called {method.name!r}")
        if method.route in routes:
            raise DefinitionError(f"{_title(cls)}: two methods have the route {method.route!r}")
        methods[method.name] = method
        routes[method.route] = method.name
    if not methods:
        raise DefinitionError(f"{_title(cls)} has no method marked with @mesh.api")
    return methods


def _refuse_wrapped(cls: type, attribute: str, value: object) -> None:
    if isinstance(value, staticmethod | classmethod) and api_options(value.__func__):
        raise DefinitionError(f"{_title(cls)}.{attribute}: only instance methods can be called")


def _method(
    cls: type,
    attribute: str,
    func: Callable[..., Any],
    options: ApiOptions,
    local_names: Mapping[str, Any],
) -> MethodSpec:
    where = f"{_title(cls)}.{attribute}"
    name = options.name or attribute
    route = options.route or f"/{name}"
    if not _METHOD_NAME.fullmatch(name):
        raise DefinitionError(f"{where}: {name!r} is no name for a method")
    if not _ROUTE.fullmatch(route):
        raise DefinitionError(f"{where}: route {route!r} is no path such as '/{attribute}'")
    if route in _RESERVED or route.startswith(_RESERVED_PREFIXES):
        raise DefinitionError(f"{where}: the gateway answers {route!r} itself")
    _pin_annotations(func, local_names)
    return method_spec(
        cls,
        func,
        name=name,
        attribute=attribute,
        route=route,
        idempotent=options.idempotent,
        context=Context,
        fields=options.fields,
        local_names=local_names,
        input_spec=options.input_spec,
        output_spec=options.output_spec,
    )


def _pin_annotations(func: Callable[..., Any], local_names: Mapping[str, Any]) -> None:
    """Replaces names in quotes by what they name, for good.

    A class that is sent by value leaves behind what only its annotations mention.
    """
    plain = inspect.unwrap(func)
    for name, annotation in plain.__annotations__.items():
        if isinstance(annotation, str):
            # What can't be resolved is found again, with its parameter, by the signature's reader.
            with suppress(Exception):
                found = resolve(annotation, plain.__globals__, local_names)
                plain.__annotations__[name] = found


def _dependencies(cls: type) -> dict[str, type]:
    found: dict[str, type] = {}
    for attribute in dir(cls):
        value = inspect.getattr_static(cls, attribute)
        if isinstance(value, Dependency):
            if not is_service(value.on):
                raise DefinitionError(
                    f"{_title(cls)}.{attribute}: {_title(value.on)} is not a service: "
                    "decorate it with @mesh.service"
                )
            found[attribute] = value.on
    if found and not cls.__dictoffset__:
        raise DefinitionError(f"{_title(cls)}: a service with dependencies can't have __slots__")
    return found


def _title(cls: type) -> str:
    return cls.__qualname__.rpartition("<locals>.")[2]
