"""What the decorator of a BentoML service says, and what of that the mesh can't do."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mesh.compat.bentoml.gpu_type import ray_type
from mesh.config import ServiceConfig, parse
from mesh.edge import PAGE, Cors, Dialect, Edge
from mesh.errors import ConfigError
from mesh.nodes.settings import ENVS_LATER

log = logging.getLogger("mesh.compat")

_NAMESPACE = "bentoml_service"
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    *(10.0, 30.0, 60.0, 120.0, 180.0),
)
_MOST_BUCKETS = 100
_GIB = 2**30
_UNLIMITED = 2**50
"""Bytes of a request at most, where theirs has no limit."""
_CARRIED = frozenset(
    {"traffic", "resources", "workers", "threads", "metrics", "http", "endpoints", "envs"}
)


def config(service: Any) -> ServiceConfig:
    """The settings of a `bentoml.Service`. Raises ConfigError naming the one that is wrong."""
    theirs = service.config
    traffic = theirs.get("traffic") or {}
    workers = _workers(service.name, theirs.get("workers"))

    def share(number: int | None) -> int | None:
        """Of all workers together there, of each replica here."""
        return -(-number // workers) if number else None

    values = {
        "traffic": {
            "timeout": traffic.get("timeout", 60.0),
            "max_concurrency": share(traffic.get("max_concurrency")),
            "concurrency": share(traffic.get("concurrency")),
            "external_queue": _has_queue(traffic),
            "max_request_bytes": traffic.get("max_request_bytes") or _UNLIMITED,
        },
        "resources": _resources(theirs.get("resources") or {}),
        "threads": theirs.get("threads") or 1,
        "replicas": workers,
        "envs": _envs(service),
    }
    return parse(ServiceConfig, values, what=service.name)


def _workers(name: str, given: Any) -> int:
    if given == "cpu_count":
        return os.cpu_count() or 1
    try:
        return int(given or 1)
    except (TypeError, ValueError):
        raise ConfigError(f"{name}: workers: {given!r} is no number and not 'cpu_count'") from None


def _has_queue(traffic: Mapping[str, Any]) -> bool:
    """Whether calls wait outside; without `concurrency` nobody can say which."""
    return bool(traffic.get("external_queue") and traffic.get("concurrency"))


def _resources(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: given[name] for name in ("cpu", "memory", "gpu") if given.get(name)
    }
    memory = found.get("memory")
    if isinstance(memory, int | float):
        found["memory"] = int(memory * _GIB)
    if found.get("gpu") and (kind := ray_type(str(given.get("gpu_type") or ""))):
        found["gpu_type"] = kind
    return found


def _envs(service: Any) -> dict[str, str]:
    """The variables of a service: as set here, else with the value that it gives itself."""
    found = {}
    is_later = ENVS_LATER in os.environ
    for each in service.envs:
        if each.stage == "build":
            continue
        value = each.value if is_later else os.environ.get(each.name) or each.value
        if not value and is_later:
            continue
        if not value:
            raise ConfigError(
                f"{service.name}: the environment variable {each.name} must be set, because the"
                " service gives it no value"
            )
        found[each.name] = str(value)
    return found


def edge(service: Any) -> Edge:
    """How the gateway serves the HTTP clients of a `bentoml.Service`. Raises ConfigError."""
    theirs = service.config
    http = theirs.get("http") or {}
    metrics = theirs.get("metrics") or {}
    enabled = metrics.get("enabled", True)
    prefix = "/" + (service.path_prefix or "").strip("/")
    return Edge(
        dialect=Dialect.BENTOML,
        prefix="" if prefix == "/" else prefix,
        cors=_cors(service.name, http.get("cors") or {}),
        metrics=_namespace(service.name, metrics.get("namespace")) if enabled else "",
        buckets=_buckets(metrics.get("duration") or {}),
        asks_ready=hasattr(service.inner, "__is_ready__"),
        asks_alive=hasattr(service.inner, "__is_alive__"),
        trace_header=bool((http.get("response") or {}).get("trace_id")),
        edits_metrics=enabled and hasattr(service.inner, PAGE),
    )


def _namespace(name: str, given: str | None) -> str:
    """Checked here, because one name that is none would spoil the page of a whole gateway."""
    if given and not _METRIC.fullmatch(given):
        raise ConfigError(
            f"{name}: metrics.namespace: {given!r} is no beginning of a metric's name"
        )
    return given or _NAMESPACE


def _cors(name: str, given: Mapping[str, Any]) -> Cors | None:
    if not given.get("enabled"):
        return None

    def several(key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        value = given.get(f"access_control_{key}")
        if value is None:
            return default
        return (value,) if isinstance(value, str) else tuple(value)

    if given.get("access_control_allow_origins") is None:
        raise ConfigError(f"{name}: http.cors is enabled without access_control_allow_origins")
    regex = given.get("access_control_allow_origin_regex") or ""
    try:
        re.compile(regex)
    except re.error as error:
        raise ConfigError(
            f"{name}: http.cors.access_control_allow_origin_regex: {error}"
        ) from error
    return Cors(
        origins=several("allow_origins"),
        origin_regex=regex,
        methods=several("allow_methods", ("GET",)),
        headers=several("allow_headers"),
        credentials=bool(given.get("access_control_allow_credentials")),
        expose=several("expose_headers"),
        max_age=given.get("access_control_max_age") or 600,
    )


def _buckets(given: Mapping[str, Any]) -> tuple[float, ...]:
    least, most, factor = given.get("min"), given.get("max"), given.get("factor")
    if not (least and most and factor):
        return tuple(sorted(given.get("buckets") or _BUCKETS))
    bounds: list[float] = []
    bound = least
    while bound < most and len(bounds) < _MOST_BUCKETS:
        bounds.append(bound)
        bound *= factor
    return (*bounds, most)


def check(service: Any) -> None:
    """Raises ConfigError naming everything about the service that can't be carried over."""
    found = list(_refused(service))
    if found:
        raise ConfigError(f"{service.name} cannot run on the mesh: {'; '.join(found)}")


def _refused(service: Any) -> Iterator[str]:
    routes: dict[str, str] = {}
    for name, method in service.apis.items():
        if method.is_task:
            yield f"{name} is a @bentoml.task"
        first = routes.setdefault(method.route, name)
        if first != name:
            yield f"{name} has the route {method.route} of {first}"
    for attribute, dependency in service.dependencies.items():
        if dependency.url is not None:
            yield f"{attribute} depends on a URL"
        elif dependency.deployment is not None:
            yield f"{attribute} depends on a deployment of another system"
    for _, path, name in service.mount_apps:
        yield f"an ASGI or WSGI application is mounted at {path}" + (f" ({name})" if name else "")
    if service.has_custom_command():
        yield "it runs a command of its own (cmd, __command__)"
    for middleware, _ in service.middlewares:
        yield f"it has the ASGI middleware {middleware.__name__}"
    if (service.config.get("ssl") or {}).get("enabled"):
        yield "ssl is enabled (the gateway's listener speaks plain HTTP)"


def _ignored(theirs: Mapping[str, Any]) -> Iterator[str]:
    """Settings inside those that are carried over which are not, as far as a service has them."""
    resources, traffic = theirs.get("resources") or {}, theirs.get("traffic") or {}
    if traffic.get("external_queue") and not _has_queue(traffic):
        yield "traffic.external_queue (without concurrency)"
    kind = resources.get("gpu_type")
    if kind and not resources.get("gpu"):
        yield "resources.gpu_type (without gpu)"
    elif kind and not ray_type(str(kind)):
        yield f"resources.gpu_type ({kind} is none of Ray's accelerator types)"
    if resources.get("tpu_type"):
        yield "resources.tpu_type"


def notice(service: Any) -> None:
    """Logs what the service says and the mesh decides otherwise, or does not do."""
    theirs = service.config
    http = theirs.get("http") or {}
    ignored = [f"http.{key}" for key in ("host", "port") if http.get(key) is not None]
    ignored += sorted(
        key for key, value in theirs.items() if key not in _CARRIED and value is not None
    )
    ignored += _ignored(theirs)
    if ignored:
        log.warning(
            "%s: the mesh does not use these settings: %s", service.name, ", ".join(ignored)
        )
    for name, method in service.apis.items():
        if method.batchable:
            log.warning(
                "%s.%s is batchable: each request is served by itself, as the batch that it is",
                service.name,
                name,
            )
