"""Collectors that keep the spans that are sent to them by OTLP, over gRPC and over HTTP."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.trace.v1 import (
    trace_service_pb2 as pb,
    trace_service_pb2_grpc as rpc,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span as it arrived; ids are lower-case hex, `parent_id` is empty for a root."""

    name: str
    kind: str
    service: str
    trace_id: str
    span_id: str
    parent_id: str
    tracestate: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    failed: bool
    message: str


def received(request: pb.ExportTraceServiceRequest) -> Iterator[ReceivedSpan]:
    """The spans of one export."""
    for group in request.resource_spans:
        resource = values(group.resource.attributes)
        for span in (span for scope in group.scope_spans for span in scope.spans):
            yield ReceivedSpan(
                name=span.name,
                kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                service=resource["service.name"],
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                tracestate=span.trace_state,
                attributes=values(span.attributes),
                resource=resource,
                failed=span.status.code == Status.STATUS_CODE_ERROR,
                message=span.status.message,
            )


def values(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "", None) for pair in pairs
    }


class Arrivals:
    """What has arrived so far; `spans` and `headers` grow, `wait_for` waits until they do."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self.headers: list[Mapping[str, str]] = []
        self._changed = threading.Condition()

    def add(self, request: pb.ExportTraceServiceRequest, headers: Mapping[str, str]) -> None:
        with self._changed:
            self.spans.extend(received(request))
            self.headers.append(headers)
            self._changed.notify_all()

    def wait_for(self, count: int, timeout: float = 30.0) -> list[ReceivedSpan]:
        """All spans, as soon as there are `count`; AssertionError after `timeout` seconds."""
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.spans) >= count, timeout)
            assert enough, f"{count} spans were to arrive, {len(self.spans)} did: {self.spans}"
            return list(self.spans)


class OtlpServer(Arrivals, rpc.TraceServiceServicer):
    """An OTLP/gRPC collector on a free port: `with OtlpServer.start() as collector: ...`."""

    endpoint: str
    """URL for OTEL_EXPORTER_OTLP_ENDPOINT."""
    _server: grpc.Server

    @classmethod
    def start(cls) -> Self:
        self = cls()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=4))
        rpc.add_TraceServiceServicer_to_server(self, self._server)
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    def Export(  # noqa: N802 - the name is the protocol's
        self, request: pb.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> pb.ExportTraceServiceResponse:
        self.add(request, dict(context.invocation_metadata()))
        return pb.ExportTraceServiceResponse()

    def stop(self) -> None:
        self._server.stop(grace=None).wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class OtlpHttpServer(Arrivals):
    """An OTLP/HTTP collector on a free port; answers 404 to any path but /v1/traces."""

    endpoint: str
    """URL for OTEL_EXPORTER_OTLP_ENDPOINT."""
    _server: ThreadingHTTPServer
    _thread: threading.Thread

    @classmethod
    def start(cls) -> Self:
        self = cls()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                found = self.path == "/v1/traces"
                if found:
                    arrivals.add(pb.ExportTraceServiceRequest.FromString(body), dict(self.headers))
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        arrivals = self
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
