from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LoadReport(_message.Message):
    __slots__ = ("reporter", "seconds", "replicas", "waiting", "outcomes", "uses")
    REPORTER_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    reporter: str
    seconds: float
    replicas: _containers.RepeatedCompositeFieldContainer[ReplicaLoad]
    waiting: _containers.RepeatedCompositeFieldContainer[Waiting]
    outcomes: _containers.RepeatedCompositeFieldContainer[Outcome]
    uses: _containers.RepeatedCompositeFieldContainer[TokenUse]
    def __init__(self, reporter: _Optional[str] = ..., seconds: _Optional[float] = ..., replicas: _Optional[_Iterable[_Union[ReplicaLoad, _Mapping]]] = ..., waiting: _Optional[_Iterable[_Union[Waiting, _Mapping]]] = ..., outcomes: _Optional[_Iterable[_Union[Outcome, _Mapping]]] = ..., uses: _Optional[_Iterable[_Union[TokenUse, _Mapping]]] = ...) -> None: ...

class TokenUse(_message.Message):
    __slots__ = ("digest", "at")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    at: float
    def __init__(self, digest: _Optional[bytes] = ..., at: _Optional[float] = ...) -> None: ...

class LoadReply(_message.Message):
    __slots__ = ("interval",)
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    interval: float
    def __init__(self, interval: _Optional[float] = ...) -> None: ...

class ReplicaLoad(_message.Message):
    __slots__ = ("replica", "in_flight", "cpu", "gpu", "memory", "ended")
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    GPU_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    replica: str
    in_flight: float
    cpu: float
    gpu: float
    memory: int
    ended: int
    def __init__(self, replica: _Optional[str] = ..., in_flight: _Optional[float] = ..., cpu: _Optional[float] = ..., gpu: _Optional[float] = ..., memory: _Optional[int] = ..., ended: _Optional[int] = ...) -> None: ...

class Waiting(_message.Message):
    __slots__ = ("deployment", "version_id", "service", "calls")
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    deployment: str
    version_id: str
    service: str
    calls: int
    def __init__(self, deployment: _Optional[str] = ..., version_id: _Optional[str] = ..., service: _Optional[str] = ..., calls: _Optional[int] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("deployment", "version_id", "requests", "errors", "latencies")
    class LatenciesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    LATENCIES_FIELD_NUMBER: _ClassVar[int]
    deployment: str
    version_id: str
    requests: int
    errors: int
    latencies: _containers.ScalarMap[int, int]
    def __init__(self, deployment: _Optional[str] = ..., version_id: _Optional[str] = ..., requests: _Optional[int] = ..., errors: _Optional[int] = ..., latencies: _Optional[_Mapping[int, int]] = ...) -> None: ...
