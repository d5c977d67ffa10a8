"""An HTTP/2 client that does what no library would: stops midway, floods, resets, waits."""

import socket
from types import TracebackType
from typing import Self, TypeVar

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

PATIENCE = 60.0
"""Seconds without a byte after which a test fails."""
Fields = list[tuple[str, str]]
E = TypeVar("E", bound=Event)


class Reply:
    """What has come on one stream."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.body = b""
        self.trailers: dict[str, str] = {}
        self.is_over = False
        self.reset: int | None = None  # the error code

    @property
    def grpc_status(self) -> int:
        return int({**self.fields, **self.trailers}["grpc-status"])


class RawHttp2:
    """One connection, whose streams are numbers."""

    def __init__(self, target: str) -> None:
        host, _, port = target.partition(":")
        self._socket = socket.create_connection((host, int(port)), PATIENCE)
        self._socket.settimeout(PATIENCE)
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.replies: dict[int, Reply] = {}
        self.goaway: int | None = None  # the error code
        self.is_closed = False
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        self._socket.close()

    def flush(self) -> None:
        """Sends what waits; that the other end has closed is seen when reading."""
        try:
            self._socket.sendall(self.h2.data_to_send())
        except (BrokenPipeError, ConnectionResetError):
            self.is_closed = True

    def open(self, path: str, *more: tuple[str, str], end: bool = False, now: bool = True) -> int:
        """Starts a gRPC request."""
        stream = self.h2.get_next_available_stream_id()
        fields = [
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "mesh"),
            ("content-type", "application/grpc"), ("te", "trailers"), *more,
        ]  # fmt: skip
        self.h2.send_headers(stream, fields, end_stream=end)
        self.replies[stream] = Reply()
        if now:
            self.flush()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Sends data, of which no more may be left than the window allows."""
        self.h2.send_data(stream, data, end_stream=end)
        self.flush()

    def send_all(self, stream: int, data: bytes, *, end: bool = True) -> None:
        """Sends all of a request as the window allows, unless it is answered before.

        Without `end` it is not all of it.
        """
        while data and not (self.is_closed or self.replies[stream].is_over):
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if not room:
                self.read()
                continue
            self.send(stream, data[:room], end=end and len(data) <= room)
            data = data[room:]

    def wait_settings(self) -> None:
        """Returns when the other end has said what it allows."""
        while not self.h2.remote_settings.max_concurrent_streams < 2**31:
            self.read()

    def reset(self, stream: int) -> None:
        self.h2.reset_stream(stream, 8)  # CANCEL
        self.flush()

    def read(self) -> None:
        """Takes what the other end sends next."""
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.is_closed = True
            return
        try:
            events = self.h2.receive_data(data)
        except ProtocolError:  # data for a connection that the other end has ended
            return
        for event in events:
            self._take(event)
        self.flush()

    def _take(self, event: Event) -> None:
        if isinstance(event, ConnectionTerminated):
            self.goaway = int(event.error_code or 0)
            return
        reply = self.replies.get(getattr(event, "stream_id", 0) or 0)
        if reply is None:
            return
        if isinstance(event, ResponseReceived):
            reply.fields = dict(event.headers)
        elif isinstance(event, DataReceived):
            reply.body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, TrailersReceived):
            reply.trailers = dict(event.headers)
        elif isinstance(event, StreamEnded):
            reply.is_over = True
        elif isinstance(event, StreamReset):
            reply.is_over = True
            reply.reset = int(event.error_code)

    def reply(self, stream: int) -> Reply:
        """The whole reply, or what of it came before the connection was closed."""
        reply = self.replies[stream]
        while not (reply.is_over or self.is_closed):
            self.read()
        return reply
