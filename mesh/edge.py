"""How a service meets its HTTP clients at the gateway, where that is not the mesh's own way."""

from dataclasses import dataclass
from enum import StrEnum


class Dialect(StrEnum):
    """Whose HTTP a service speaks: the forms of errors, of health pages and of header fields."""

    MESH = "mesh"
    BENTOML = "bentoml"


@dataclass(frozen=True, slots=True)
class Cors:
    """Which pages of other origins may call, https://fetch.spec.whatwg.org/#http-cors-protocol.

    `"*"` in `origins`, `methods` or `headers` means all; `origin_regex` is matched as a whole and
    empty for none; `max_age` in seconds.
    """

    origins: tuple[str, ...] = ()
    origin_regex: str = ""
    methods: tuple[str, ...] = ("GET",)
    headers: tuple[str, ...] = ()
    credentials: bool = False
    expose: tuple[str, ...] = ()
    max_age: int = 600


@dataclass(frozen=True, slots=True)
class Edge:
    """What the gateway does for one service beyond passing its calls on.

    `prefix` is the path under which the pages about the service are, besides the root; empty, or
    with a slash in front and none at its end. `metrics` is the namespace of the service's metrics
    in its dialect (empty: none), `buckets` the upper bounds of their durations in seconds.
    `asks_ready` and `asks_alive` say that the service itself answers for its health, by the
    methods READY and ALIVE; `edits_metrics` that it has the last word on its page of metrics, by
    the method PAGE. With `trace_header` replies name their trace.
    """

    dialect: Dialect = Dialect.MESH
    prefix: str = ""
    cors: Cors | None = None
    metrics: str = ""
    buckets: tuple[float, ...] = ()
    asks_ready: bool = False
    asks_alive: bool = False
    trace_header: bool = False
    edits_metrics: bool = False


PLAIN = Edge()
"""That of services which say nothing about it."""
READY = "__is_ready__"
"""The method that a gateway asks whether a replica is ready; no client can call it."""
ALIVE = "__is_alive__"
"""The method that a gateway asks whether a replica lives; no client can call it."""
SAMPLES = "__samples__"
"""The method by which a gateway gets the metrics that the user's code keeps; for no client."""
PAGE = "__metrics__"
"""The method that a gateway gives its page of metrics to, and which returns it; for no client."""
