from mesh.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CallKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CALL_KIND_UNSPECIFIED: _ClassVar[CallKind]
    CALL_KIND_UNARY: _ClassVar[CallKind]
    CALL_KIND_SERVER_STREAM: _ClassVar[CallKind]
    CALL_KIND_CLIENT_STREAM: _ClassVar[CallKind]
    CALL_KIND_BIDI_STREAM: _ClassVar[CallKind]
CALL_KIND_UNSPECIFIED: CallKind
CALL_KIND_UNARY: CallKind
CALL_KIND_SERVER_STREAM: CallKind
CALL_KIND_CLIENT_STREAM: CallKind
CALL_KIND_BIDI_STREAM: CallKind

class CallRequest(_message.Message):
    __slots__ = ("method", "arguments", "item")
    class ArgumentsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _types_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_types_pb2.Value, _Mapping]] = ...) -> None: ...
    METHOD_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    method: str
    arguments: _containers.MessageMap[str, _types_pb2.Value]
    item: _types_pb2.Value
    def __init__(self, method: _Optional[str] = ..., arguments: _Optional[_Mapping[str, _types_pb2.Value]] = ..., item: _Optional[_Union[_types_pb2.Value, _Mapping]] = ...) -> None: ...

class CallReply(_message.Message):
    __slots__ = ("value",)
    VALUE_FIELD_NUMBER: _ClassVar[int]
    value: _types_pb2.Value
    def __init__(self, value: _Optional[_Union[_types_pb2.Value, _Mapping]] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeReply(_message.Message):
    __slots__ = ("service", "methods", "schema_json", "descriptors")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_JSON_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTORS_FIELD_NUMBER: _ClassVar[int]
    service: str
    methods: _containers.RepeatedCompositeFieldContainer[MethodDescription]
    schema_json: bytes
    descriptors: bytes
    def __init__(self, service: _Optional[str] = ..., methods: _Optional[_Iterable[_Union[MethodDescription, _Mapping]]] = ..., schema_json: _Optional[bytes] = ..., descriptors: _Optional[bytes] = ...) -> None: ...

class MethodDescription(_message.Message):
    __slots__ = ("name", "description", "kind")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    kind: CallKind
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., kind: _Optional[_Union[CallKind, str]] = ...) -> None: ...
