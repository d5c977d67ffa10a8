import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from mesh.v1 import inference_pb2 as _inference_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LoadBalance(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOAD_BALANCE_UNSPECIFIED: _ClassVar[LoadBalance]
    LOAD_BALANCE_WEIGHTED: _ClassVar[LoadBalance]
    LOAD_BALANCE_OVERFLOW: _ClassVar[LoadBalance]
    LOAD_BALANCE_CAPACITY: _ClassVar[LoadBalance]

class SplitBy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SPLIT_BY_UNSPECIFIED: _ClassVar[SplitBy]
    SPLIT_BY_RANDOM: _ClassVar[SplitBy]
    SPLIT_BY_HEADER: _ClassVar[SplitBy]
    SPLIT_BY_QUERY: _ClassVar[SplitBy]

class Dialect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIALECT_UNSPECIFIED: _ClassVar[Dialect]
    DIALECT_MESH: _ClassVar[Dialect]
    DIALECT_BENTOML: _ClassVar[Dialect]
LOAD_BALANCE_UNSPECIFIED: LoadBalance
LOAD_BALANCE_WEIGHTED: LoadBalance
LOAD_BALANCE_OVERFLOW: LoadBalance
LOAD_BALANCE_CAPACITY: LoadBalance
SPLIT_BY_UNSPECIFIED: SplitBy
SPLIT_BY_RANDOM: SplitBy
SPLIT_BY_HEADER: SplitBy
SPLIT_BY_QUERY: SplitBy
DIALECT_UNSPECIFIED: Dialect
DIALECT_MESH: Dialect
DIALECT_BENTOML: Dialect

class WatchRequest(_message.Message):
    __slots__ = ("watcher", "epoch", "number", "deployment")
    WATCHER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    watcher: str
    epoch: int
    number: int
    deployment: str
    def __init__(self, watcher: _Optional[str] = ..., epoch: _Optional[int] = ..., number: _Optional[int] = ..., deployment: _Optional[str] = ...) -> None: ...

class Update(_message.Message):
    __slots__ = ("epoch", "number", "base", "endpoints", "deployments", "gone_endpoints", "gone_deployments", "default_endpoint", "grants", "gone_grants")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENTS_FIELD_NUMBER: _ClassVar[int]
    GONE_ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    GONE_DEPLOYMENTS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    GONE_GRANTS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    number: int
    base: int
    endpoints: _containers.RepeatedCompositeFieldContainer[Endpoint]
    deployments: _containers.RepeatedCompositeFieldContainer[Deployment]
    gone_endpoints: _containers.RepeatedScalarFieldContainer[str]
    gone_deployments: _containers.RepeatedScalarFieldContainer[str]
    default_endpoint: str
    grants: _containers.RepeatedCompositeFieldContainer[Grant]
    gone_grants: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, epoch: _Optional[int] = ..., number: _Optional[int] = ..., base: _Optional[int] = ..., endpoints: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ..., deployments: _Optional[_Iterable[_Union[Deployment, _Mapping]]] = ..., gone_endpoints: _Optional[_Iterable[str]] = ..., gone_deployments: _Optional[_Iterable[str]] = ..., default_endpoint: _Optional[str] = ..., grants: _Optional[_Iterable[_Union[Grant, _Mapping]]] = ..., gone_grants: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Grant(_message.Message):
    __slots__ = ("digest", "organization", "everything", "deployments", "expires_at")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    EVERYTHING_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENTS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    organization: str
    everything: bool
    deployments: _containers.RepeatedScalarFieldContainer[str]
    expires_at: float
    def __init__(self, digest: _Optional[bytes] = ..., organization: _Optional[str] = ..., everything: bool = ..., deployments: _Optional[_Iterable[str]] = ..., expires_at: _Optional[float] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("name", "deployments", "load_balance", "scale_out_delay", "upstreams", "mirror", "rules", "session", "terminated")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENTS_FIELD_NUMBER: _ClassVar[int]
    LOAD_BALANCE_FIELD_NUMBER: _ClassVar[int]
    SCALE_OUT_DELAY_FIELD_NUMBER: _ClassVar[int]
    UPSTREAMS_FIELD_NUMBER: _ClassVar[int]
    MIRROR_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TERMINATED_FIELD_NUMBER: _ClassVar[int]
    name: str
    deployments: _containers.RepeatedCompositeFieldContainer[WeightedDeployment]
    load_balance: LoadBalance
    scale_out_delay: _duration_pb2.Duration
    upstreams: _containers.RepeatedCompositeFieldContainer[Upstream]
    mirror: Mirror
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    session: Session
    terminated: bool
    def __init__(self, name: _Optional[str] = ..., deployments: _Optional[_Iterable[_Union[WeightedDeployment, _Mapping]]] = ..., load_balance: _Optional[_Union[LoadBalance, str]] = ..., scale_out_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., upstreams: _Optional[_Iterable[_Union[Upstream, _Mapping]]] = ..., mirror: _Optional[_Union[Mirror, _Mapping]] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ..., session: _Optional[_Union[Session, _Mapping]] = ..., terminated: bool = ...) -> None: ...

class Upstream(_message.Message):
    __slots__ = ("name", "url", "weight", "api_key", "model")
    NAME_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    name: str
    url: str
    weight: int
    api_key: str
    model: str
    def __init__(self, name: _Optional[str] = ..., url: _Optional[str] = ..., weight: _Optional[int] = ..., api_key: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class Mirror(_message.Message):
    __slots__ = ("deployment", "percent")
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    deployment: str
    percent: float
    def __init__(self, deployment: _Optional[str] = ..., percent: _Optional[float] = ...) -> None: ...

class Rule(_message.Message):
    __slots__ = ("headers", "deployment", "version")
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    headers: _containers.RepeatedCompositeFieldContainer[HeaderMatch]
    deployment: str
    version: str
    def __init__(self, headers: _Optional[_Iterable[_Union[HeaderMatch, _Mapping]]] = ..., deployment: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class HeaderMatch(_message.Message):
    __slots__ = ("name", "exact", "prefix", "regex", "present")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    REGEX_FIELD_NUMBER: _ClassVar[int]
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    exact: str
    prefix: str
    regex: str
    present: bool
    def __init__(self, name: _Optional[str] = ..., exact: _Optional[str] = ..., prefix: _Optional[str] = ..., regex: _Optional[str] = ..., present: bool = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("header", "cookie", "ttl")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    COOKIE_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    header: str
    cookie: str
    ttl: int
    def __init__(self, header: _Optional[str] = ..., cookie: _Optional[str] = ..., ttl: _Optional[int] = ...) -> None: ...

class WeightedDeployment(_message.Message):
    __slots__ = ("deployment", "weight")
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    deployment: str
    weight: int
    def __init__(self, deployment: _Optional[str] = ..., weight: _Optional[int] = ...) -> None: ...

class Deployment(_message.Message):
    __slots__ = ("name", "versions", "split_by", "split_key", "fails_without_replicas", "protected", "uid", "organization")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    SPLIT_BY_FIELD_NUMBER: _ClassVar[int]
    SPLIT_KEY_FIELD_NUMBER: _ClassVar[int]
    FAILS_WITHOUT_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    PROTECTED_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    versions: _containers.RepeatedCompositeFieldContainer[Version]
    split_by: SplitBy
    split_key: str
    fails_without_replicas: bool
    protected: bool
    uid: str
    organization: str
    def __init__(self, name: _Optional[str] = ..., versions: _Optional[_Iterable[_Union[Version, _Mapping]]] = ..., split_by: _Optional[_Union[SplitBy, str]] = ..., split_key: _Optional[str] = ..., fails_without_replicas: bool = ..., protected: bool = ..., uid: _Optional[str] = ..., organization: _Optional[str] = ...) -> None: ...

class Version(_message.Message):
    __slots__ = ("name", "weight", "entry", "services", "id", "share")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    name: str
    weight: int
    entry: str
    services: _containers.RepeatedCompositeFieldContainer[Service]
    id: str
    share: int
    def __init__(self, name: _Optional[str] = ..., weight: _Optional[int] = ..., entry: _Optional[str] = ..., services: _Optional[_Iterable[_Union[Service, _Mapping]]] = ..., id: _Optional[str] = ..., share: _Optional[int] = ...) -> None: ...

class Service(_message.Message):
    __slots__ = ("name", "methods", "replicas", "timeout", "max_concurrency", "max_request_bytes", "schema_json", "docs", "edge", "rpc_service", "descriptors", "models", "concurrency", "queue_limit", "cold_start", "is_known")
    NAME_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    MAX_REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_JSON_FIELD_NUMBER: _ClassVar[int]
    DOCS_FIELD_NUMBER: _ClassVar[int]
    EDGE_FIELD_NUMBER: _ClassVar[int]
    RPC_SERVICE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTORS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    QUEUE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    COLD_START_FIELD_NUMBER: _ClassVar[int]
    IS_KNOWN_FIELD_NUMBER: _ClassVar[int]
    name: str
    methods: _containers.RepeatedCompositeFieldContainer[Method]
    replicas: _containers.RepeatedCompositeFieldContainer[Replica]
    timeout: _duration_pb2.Duration
    max_concurrency: int
    max_request_bytes: int
    schema_json: bytes
    docs: bytes
    edge: Edge
    rpc_service: str
    descriptors: bytes
    models: bytes
    concurrency: int
    queue_limit: int
    cold_start: _duration_pb2.Duration
    is_known: bool
    def __init__(self, name: _Optional[str] = ..., methods: _Optional[_Iterable[_Union[Method, _Mapping]]] = ..., replicas: _Optional[_Iterable[_Union[Replica, _Mapping]]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_concurrency: _Optional[int] = ..., max_request_bytes: _Optional[int] = ..., schema_json: _Optional[bytes] = ..., docs: _Optional[bytes] = ..., edge: _Optional[_Union[Edge, _Mapping]] = ..., rpc_service: _Optional[str] = ..., descriptors: _Optional[bytes] = ..., models: _Optional[bytes] = ..., concurrency: _Optional[int] = ..., queue_limit: _Optional[int] = ..., cold_start: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., is_known: bool = ...) -> None: ...

class Edge(_message.Message):
    __slots__ = ("dialect", "prefix", "cors", "metrics", "buckets", "asks_ready", "asks_alive", "trace_header", "edits_metrics")
    DIALECT_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    CORS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    ASKS_READY_FIELD_NUMBER: _ClassVar[int]
    ASKS_ALIVE_FIELD_NUMBER: _ClassVar[int]
    TRACE_HEADER_FIELD_NUMBER: _ClassVar[int]
    EDITS_METRICS_FIELD_NUMBER: _ClassVar[int]
    dialect: Dialect
    prefix: str
    cors: Cors
    metrics: str
    buckets: _containers.RepeatedScalarFieldContainer[float]
    asks_ready: bool
    asks_alive: bool
    trace_header: bool
    edits_metrics: bool
    def __init__(self, dialect: _Optional[_Union[Dialect, str]] = ..., prefix: _Optional[str] = ..., cors: _Optional[_Union[Cors, _Mapping]] = ..., metrics: _Optional[str] = ..., buckets: _Optional[_Iterable[float]] = ..., asks_ready: bool = ..., asks_alive: bool = ..., trace_header: bool = ..., edits_metrics: bool = ...) -> None: ...

class Cors(_message.Message):
    __slots__ = ("origins", "methods", "headers", "origin_regex", "credentials", "expose", "max_age")
    ORIGINS_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_REGEX_FIELD_NUMBER: _ClassVar[int]
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    EXPOSE_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_FIELD_NUMBER: _ClassVar[int]
    origins: _containers.RepeatedScalarFieldContainer[str]
    methods: _containers.RepeatedScalarFieldContainer[str]
    headers: _containers.RepeatedScalarFieldContainer[str]
    origin_regex: str
    credentials: bool
    expose: _containers.RepeatedScalarFieldContainer[str]
    max_age: int
    def __init__(self, origins: _Optional[_Iterable[str]] = ..., methods: _Optional[_Iterable[str]] = ..., headers: _Optional[_Iterable[str]] = ..., origin_regex: _Optional[str] = ..., credentials: bool = ..., expose: _Optional[_Iterable[str]] = ..., max_age: _Optional[int] = ...) -> None: ...

class Method(_message.Message):
    __slots__ = ("name", "route", "kind", "idempotent", "rpc")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENT_FIELD_NUMBER: _ClassVar[int]
    RPC_FIELD_NUMBER: _ClassVar[int]
    name: str
    route: str
    kind: _inference_pb2.CallKind
    idempotent: bool
    rpc: str
    def __init__(self, name: _Optional[str] = ..., route: _Optional[str] = ..., kind: _Optional[_Union[_inference_pb2.CallKind, str]] = ..., idempotent: bool = ..., rpc: _Optional[str] = ...) -> None: ...

class Replica(_message.Message):
    __slots__ = ("id", "address")
    ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    id: str
    address: str
    def __init__(self, id: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...
