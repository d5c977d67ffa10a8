"""Calls over gRPC as messages of mesh.v1.Inference, apart from sending them."""

import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from google.protobuf.message import DecodeError

from mesh import rich_status
from mesh.client.failure import of_code
from mesh.client.fields import FieldValue
from mesh.client.options import Options
from mesh.client.outgoing import in_memory
from mesh.client.pending import PendingCall
from mesh.client.retry import NotSent
from mesh.errors import Code, Internal, MeshError, Unavailable
from mesh.io.arguments import encode_call, encode_item
from mesh.v1.inference_pb2 import DescribeReply

INFERENCE = "/mesh.v1.Inference/"
_NOBODY = re.compile(r"ipv[46]:(\S+:\d+): (?:.*: )?([^:]+?)(?: \(\d+\))?$")
"""Address and reason at the end of: failed to connect to all addresses; last error: …"""
_BROKEN = ("Socket closed", "Cancelling all calls", "Connection reset by peer", "Stream removed")
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


def metadata(options: Options) -> list[tuple[str, FieldValue]]:
    """The metadata of a call; the library writes the user agent itself."""
    return [(name, value) for name, value in options.metadata().items() if name != "user-agent"]


def request(call: PendingCall) -> bytes:
    """The message that names the method and its arguments, files whole."""
    values = {name: in_memory(value) for name, value in call.arguments.items()}
    return encode_call(call.method.name, values)


def requests(first: bytes, items: Iterable[Any]) -> Iterator[bytes]:
    """The messages of a call that sends a stream; `first` names the method and its arguments."""
    yield first
    for item in items:
        yield encode_item(item)


async def requests_async(call: PendingCall) -> AsyncIterator[bytes]:
    """The messages of a call that sends a stream, which may be an async one."""
    yield request(call)
    if isinstance(call.items, AsyncIterable):
        async for item in call.items:
            yield encode_item(item)
    else:
        for item in call.items:
            yield encode_item(item)


def failure(error: Any) -> MeshError:
    """The error for a grpc.RpcError, sync or asyncio's."""
    number, _ = error.code().value
    trailers = {each[0]: each[1] for each in (error.trailing_metadata() or ())}
    pause = trailers.get("grpc-retry-pushback-ms", "")
    message = error.details() or ""
    if number == Code.UNAVAILABLE and not trailers:
        # The library's own words: when there is nobody at the address, and when a peer goes.
        if "ailed to connect" in message:
            return NotSent(_nobody(message))
        if message in _BROKEN:
            return Unavailable(f"the connection broke while the call ran: {message}")
    wait = int(pause) / 1000 if str(pause).isdecimal() else None
    details = trailers.get(rich_status.KEY, b"")
    return of_code(number, message, retry_after=wait, details=details)


def _nobody(message: str) -> str:
    """Where the library could not connect to, and why, of its sentence that says so."""
    found = _NOBODY.search(message)
    if found is None:
        return message
    return f"cannot connect to {unquote(found[1])}: {found[2][:1].lower()}{found[2][1:]}"


def description(reply: bytes) -> DescribeReply:
    """The reply to Describe. Raises Internal if it is none."""
    try:
        return DescribeReply.FromString(reply)
    except DecodeError:
        raise Internal("the reply is not a mesh.v1.DescribeReply") from None
