from mesh.v1 import errors_pb2 as _errors_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Frames(_message.Message):
    __slots__ = ("frames",)
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    frames: _containers.RepeatedCompositeFieldContainer[Frame]
    def __init__(self, frames: _Optional[_Iterable[_Union[Frame, _Mapping]]] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("call", "start", "reply", "data", "message_end", "end", "error", "cancel", "credit", "hello", "going_away", "refused", "trailers", "room")
    CALL_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_END_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    GOING_AWAY_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    TRAILERS_FIELD_NUMBER: _ClassVar[int]
    ROOM_FIELD_NUMBER: _ClassVar[int]
    call: int
    start: Start
    reply: Reply
    data: bytes
    message_end: bool
    end: bool
    error: _errors_pb2.Error
    cancel: bool
    credit: int
    hello: Hello
    going_away: bool
    refused: bool
    trailers: _containers.RepeatedCompositeFieldContainer[Metadata]
    room: bool
    def __init__(self, call: _Optional[int] = ..., start: _Optional[_Union[Start, _Mapping]] = ..., reply: _Optional[_Union[Reply, _Mapping]] = ..., data: _Optional[bytes] = ..., message_end: bool = ..., end: bool = ..., error: _Optional[_Union[_errors_pb2.Error, _Mapping]] = ..., cancel: bool = ..., credit: _Optional[int] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., going_away: bool = ..., refused: bool = ..., trailers: _Optional[_Iterable[_Union[Metadata, _Mapping]]] = ..., room: bool = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("window",)
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    window: int
    def __init__(self, window: _Optional[int] = ...) -> None: ...

class Start(_message.Message):
    __slots__ = ("method", "media_type", "accept", "timeout_us", "traceparent", "tracestate", "metadata", "request_id", "query", "waits")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_US_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    TRACESTATE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    WAITS_FIELD_NUMBER: _ClassVar[int]
    method: str
    media_type: str
    accept: str
    timeout_us: int
    traceparent: str
    tracestate: str
    metadata: _containers.RepeatedCompositeFieldContainer[Metadata]
    request_id: str
    query: str
    waits: bool
    def __init__(self, method: _Optional[str] = ..., media_type: _Optional[str] = ..., accept: _Optional[str] = ..., timeout_us: _Optional[int] = ..., traceparent: _Optional[str] = ..., tracestate: _Optional[str] = ..., metadata: _Optional[_Iterable[_Union[Metadata, _Mapping]]] = ..., request_id: _Optional[str] = ..., query: _Optional[str] = ..., waits: bool = ...) -> None: ...

class Metadata(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: bytes
    def __init__(self, name: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ("media_type", "http_status", "metadata", "stream", "length")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    HTTP_STATUS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    http_status: int
    metadata: _containers.RepeatedCompositeFieldContainer[Metadata]
    stream: bool
    length: int
    def __init__(self, media_type: _Optional[str] = ..., http_status: _Optional[int] = ..., metadata: _Optional[_Iterable[_Union[Metadata, _Mapping]]] = ..., stream: bool = ..., length: _Optional[int] = ...) -> None: ...
