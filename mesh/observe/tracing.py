"""Traces of requests, exported when the standard OpenTelemetry variables ask for it."""

from collections.abc import Mapping
from typing import Self

from mesh.call import Trace
from mesh.observe.otlp import OtlpSpans
from mesh.observe.otlp_settings import otlp_settings
from mesh.observe.span import NO_ATTRIBUTES, Attribute, Span, SpanKind


class Tracing:
    """Starts spans. Without an exporter it is off: spans cost next to nothing and are not kept.

    Usable from any thread.
    """

    __slots__ = ("_spans", "enabled")

    def __init__(self, spans: OtlpSpans | None = None) -> None:
        self._spans = spans
        self.enabled = spans is not None

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, service_name: str) -> Self:
        """On if `env` asks for traces by OTLP, else off.

        Read are OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_ENDPOINT, _PROTOCOL
        and _HEADERS (and their _TRACES_ forms), OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG,
        OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES; a value that is not understood is logged
        and passed over. `service_name` holds where `env` names none.
        """
        settings = otlp_settings(env, service_name=service_name)
        return cls(OtlpSpans(settings) if settings else None)

    def start(
        self,
        name: str,
        kind: SpanKind,
        parent: Trace,
        attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,
    ) -> Span:
        """Starts a span below `parent`; whoever starts it ends it.

        A `parent` that is empty or malformed starts a new trace. While tracing is off the span's
        trace is `parent` itself, whatever it is.
        """
        if self._spans is None:
            return Span(parent)
        return self._spans.start(name, kind, parent, attributes)

    def close(self, timeout: float = 5.0) -> None:
        """Exports the spans that have ended, for at most `timeout` seconds. Blocks.

        Spans that end later are dropped.
        """
        if self._spans is not None:
            self._spans.close(timeout)

    def __repr__(self) -> str:
        return f"Tracing({'on' if self.enabled else 'off'})"


OFF = Tracing()
"""Tracing that keeps nothing."""
