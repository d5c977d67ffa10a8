"""Spans that are recorded and exported by OTLP; the only user of the OpenTelemetry SDK."""

# ruff: noqa: PLC0415 - the SDK and an exporter cost 13 to 21 MiB and 100 ms: only who traces pays

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mesh.call import Trace
from mesh.errors import MeshError
from mesh.observe.otlp_settings import OtlpSettings
from mesh.observe.span import Attribute, Span, SpanKind

if TYPE_CHECKING:
    from opentelemetry import trace as otel
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.trace.sampling import Sampler

logger = logging.getLogger(__name__)


class OtlpSpan(Span):
    """A span that is exported when it ends, if the sampler chose it."""

    __slots__ = ("_kind", "_span")

    def __init__(self, span: "otel.Span", kind: SpanKind) -> None:
        context = span.get_span_context()
        super().__init__(
            Trace(
                f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}",
                context.trace_state.to_header() if context.trace_state else "",
            )
        )
        self._span = span
        self._kind = kind

    def set(self, name: str, value: Attribute) -> None:
        """Attaches `value` to the span."""
        self._span.set_attribute(name, value)

    def fail(self, error: MeshError) -> None:
        """Says that the step ended with `error`.

        `mesh.code` is always set. The span itself is in error unless it answers a caller who is
        at fault (a status below 500), which is how OpenTelemetry keeps bad input out of a
        service's error rate.
        """
        from opentelemetry.trace import StatusCode

        self._span.set_attribute("mesh.code", error.code.name)
        if self._kind != "server" or error.status >= 500:
            self._span.set_attribute("error.type", error.code.name)
            self._span.set_status(StatusCode.ERROR, error.message)

    def end(self) -> None:
        """Hands the span to the exporter's queue; further calls of `end` do nothing."""
        if self._span.is_recording():
            self._span.end()


class OtlpSpans:
    """Starts spans and exports them in batches from a thread of its own.

    What `settings` don't hold (TLS files, compression, time limits, sizes of batches) the SDK
    itself reads from the standard variables of the process.
    """

    def __init__(self, settings: OtlpSettings) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind as OtelKind
        from opentelemetry.trace.propagation import tracecontext

        self._kinds: Mapping[SpanKind, OtelKind] = {
            "server": OtelKind.SERVER,
            "client": OtelKind.CLIENT,
            "internal": OtelKind.INTERNAL,
        }
        self._exporter = _exporter(settings)
        self._provider = TracerProvider(
            sampler=_sampler(settings.sampler, settings.sampler_argument),
            resource=Resource.create(dict(settings.attributes)),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("mesh")
        self._extract = tracecontext.TraceContextTextMapPropagator().extract

    def start(
        self, name: str, kind: SpanKind, parent: Trace, attributes: Mapping[str, Attribute]
    ) -> OtlpSpan:
        """A span below `parent`, or of a new trace where `parent` is empty or malformed."""
        carrier = {"traceparent": parent.traceparent}
        if parent.tracestate:
            carrier["tracestate"] = parent.tracestate
        span = self._tracer.start_span(
            name, self._extract(carrier), self._kinds[kind], attributes or None
        )
        return OtlpSpan(span, kind)

    def close(self, timeout: float) -> None:
        """Exports what has ended; gives up after `timeout` seconds."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(timeout)
        if closing.is_alive():
            logger.warning("the last spans did not reach their collector in %g seconds", timeout)
            # The thread may be within a request that waits for its own time limit; what follows
            # that request is refused by a closed exporter.
            self._exporter.shutdown()


def _exporter(settings: OtlpSettings) -> "SpanExporter":
    from opentelemetry.util.re import parse_env_headers

    headers = dict(parse_env_headers(settings.headers, liberal=True))
    if settings.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
            OTLPSpanExporter as GrpcExporter,
        )

        return GrpcExporter(endpoint=settings.endpoint, headers=headers)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
        OTLPSpanExporter as HttpExporter,
    )

    return HttpExporter(endpoint=settings.endpoint, headers=headers)


def _sampler(name: str, argument: str) -> "Sampler":
    from opentelemetry.sdk.trace import sampling

    match name:
        case "always_on":
            return sampling.ALWAYS_ON
        case "always_off":
            return sampling.ALWAYS_OFF
        case "parentbased_always_on":
            return sampling.DEFAULT_ON
        case "parentbased_always_off":
            return sampling.DEFAULT_OFF
        case "traceidratio":
            return sampling.TraceIdRatioBased(_ratio(argument))
        case "parentbased_traceidratio":
            return sampling.ParentBasedTraceIdRatio(_ratio(argument))
        case _:
            logger.warning("OTEL_TRACES_SAMPLER: %r is unknown, every trace is sampled", name)
            return sampling.DEFAULT_ON


def _ratio(argument: str) -> float:
    try:
        ratio = float(argument)
    except ValueError:
        ratio = -1.0
    if 0 <= ratio <= 1:
        return ratio
    logger.warning("OTEL_TRACES_SAMPLER_ARG: %r is no number from 0 to 1, 1 is used", argument)
    return 1.0
