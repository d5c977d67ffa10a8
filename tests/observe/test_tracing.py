import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from mesh.call import NO_TRACE, Trace
from mesh.errors import Code, DeadlineExceeded, Internal, InvalidArgument, MeshError, Unavailable
from mesh.observe.span import SpanKind
from mesh.observe.tracing import OFF, Tracing
from tests.observe.otlp_server import OtlpHttpServer, OtlpServer, ReceivedSpan

ROOT = Path(__file__).parents[2]
PARENT = Trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=x,other=y")
NOT_SAMPLED = Trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")


@contextmanager
def tracing_to(
    collector: OtlpServer | OtlpHttpServer, env: Mapping[str, str] | None = None
) -> Iterator[Tracing]:
    """Tracing that has sent everything to `collector` when the block ends."""
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, **(env or {})}
    tracing = Tracing.from_env(given, service_name="gateway")
    try:
        yield tracing
    finally:
        tracing.close(timeout=60)


def request_through(tracing: Tracing, parent: Trace) -> None:
    """The three spans of a request that one service answers."""
    server = tracing.start("POST /predict", "server", parent, {"http.request.method": "POST"})
    client = tracing.start("Predictor.predict", "client", server.trace)
    replica = tracing.start("Predictor.predict", "server", client.trace, {"items": 3, "warm": True})
    replica.set("queue.seconds", 0.5)
    for span in (replica, client, server):
        span.end()


def assert_one_tree_below_the_parent(spans: list[ReceivedSpan]) -> None:
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == 3
    assert {span.trace_id for span in spans} == {PARENT.trace_id}
    (root,) = [span for span in spans if span.parent_id not in by_id]
    (client,) = [span for span in spans if span.parent_id == root.span_id]
    (replica,) = [span for span in spans if span.parent_id == client.span_id]
    assert root.parent_id == PARENT.traceparent[36:52]
    assert [s.kind for s in (root, client, replica)] == ["server", "client", "server"]
    assert root.attributes == {"http.request.method": "POST"}
    assert replica.attributes == {"items": 3, "warm": True, "queue.seconds": 0.5}
    assert {span.tracestate for span in spans} == {PARENT.tracestate}
    assert {span.service for span in spans} == {"gateway"}


def test_spans_reach_a_grpc_collector_as_one_tree_below_the_callers_span() -> None:
    with OtlpServer.start() as collector:
        with tracing_to(collector) as tracing:
            assert tracing.enabled
            request_through(tracing, PARENT)
        assert_one_tree_below_the_parent(collector.wait_for(3))


def test_spans_reach_an_http_collector_as_one_tree_below_the_callers_span() -> None:
    env = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    with OtlpHttpServer.start() as collector:
        with tracing_to(collector, env) as tracing:
            request_through(tracing, PARENT)
        assert_one_tree_below_the_parent(collector.wait_for(3))


def test_spans_of_two_processes_join_in_one_trace() -> None:
    with OtlpServer.start() as collector:
        with tracing_to(collector) as caller, tracing_to(collector) as callee:
            outer = caller.start("outer", "client", NO_TRACE)
            inner = callee.start("inner", "server", outer.trace)
            inner.end()
            outer.end()
        spans = {span.name: span for span in collector.wait_for(2)}
    assert spans["inner"].parent_id == spans["outer"].span_id
    assert spans["inner"].trace_id == spans["outer"].trace_id == outer.trace.trace_id
    assert spans["outer"].parent_id == ""


def test_the_headers_variable_reaches_the_collector() -> None:
    env = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20abc,x-tenant=one"}
    with OtlpServer.start() as collector:
        with tracing_to(collector, env) as tracing:
            tracing.start("a", "internal", NO_TRACE).end()
        collector.wait_for(1)
    assert collector.headers[0]["authorization"] == "Bearer abc"
    assert collector.headers[0]["x-tenant"] == "one"


def test_the_service_is_named_by_the_environment_before_the_program() -> None:
    env = {
        "OTEL_SERVICE_NAME": "front",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=x,deployment.environment.name=a%20b",
    }
    with OtlpServer.start() as collector:
        with tracing_to(collector, env) as tracing:
            tracing.start("a", "internal", NO_TRACE).end()
        (span,) = collector.wait_for(1)
    assert span.service == "front"
    assert span.resource["deployment.environment.name"] == "a b"


MALFORMED = [
    "",
    "hello",
    PARENT.traceparent + "-more",
    PARENT.traceparent.upper(),
    PARENT.traceparent[:-1],
    "ff" + PARENT.traceparent[2:],
    "00-" + "0" * 32 + "-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
    "00-" + "\N{ARABIC-INDIC DIGIT ONE}" * 32 + "-b7ad6b7169203331-01",
]


@pytest.fixture(scope="module")
def recording() -> Iterator[Tracing]:
    with OtlpServer.start() as collector, tracing_to(collector) as tracing:
        yield tracing


def is_sampled(trace: Trace) -> bool:
    return bool(int(trace.traceparent[-2:], 16) & 1)


def is_a_fresh_trace(trace: Trace) -> bool:
    version, trace_id, span_id, _ = trace.traceparent.split("-")
    return version == "00" and is_sampled(trace) and int(trace_id, 16) > 0 and int(span_id, 16) > 0


@pytest.mark.parametrize("traceparent", MALFORMED)
def test_a_malformed_traceparent_starts_a_new_trace(recording: Tracing, traceparent: str) -> None:
    span = recording.start("a", "server", Trace(traceparent, "vendor=x"))
    assert is_a_fresh_trace(span.trace)
    assert span.trace.trace_id != PARENT.trace_id
    assert span.trace.tracestate == ""


@given(st.builds(Trace, st.text(), st.text()))
def test_no_text_in_place_of_a_trace_is_an_error(recording: Tracing, parent: Trace) -> None:
    assert is_a_fresh_trace(recording.start("a", "server", parent).trace)


def test_a_malformed_tracestate_does_not_cost_the_trace(recording: Tracing) -> None:
    span = recording.start("a", "server", PARENT._replace(tracestate="=,;;"))
    assert span.trace.trace_id == PARENT.trace_id


def test_a_later_version_of_traceparent_is_read_as_far_as_it_is_known(recording: Tracing) -> None:
    span = recording.start("a", "server", Trace("cc" + PARENT.traceparent[2:] + "-more"))
    assert span.trace.trace_id == PARENT.trace_id
    assert span.trace.traceparent.startswith("00-")


@pytest.mark.parametrize(
    ("env", "parent", "exported"),
    [
        ({}, NO_TRACE, True),
        ({}, PARENT, True),
        ({}, NOT_SAMPLED, False),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, NOT_SAMPLED, False),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, NOT_SAMPLED, True),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, PARENT, False),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, NO_TRACE, False),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, PARENT, True),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, PARENT, False),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1"}, NO_TRACE, True),
        (
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
            PARENT,
            True,
        ),
        (
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
            NO_TRACE,
            False,
        ),
    ],
)
def test_the_sampler_of_the_environment_decides(
    env: dict[str, str], parent: Trace, exported: bool
) -> None:
    with OtlpServer.start() as collector:
        with tracing_to(collector, env) as tracing:
            span = tracing.start("a", "server", parent)
            span.end()
        assert is_sampled(span.trace) == exported
        assert len(collector.spans) == exported


@pytest.mark.parametrize(
    "env",
    [
        {"OTEL_TRACES_SAMPLER": "dice"},
        *(
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": argument}
            for argument in ("", "often", "7", "nan")
        ),
    ],
)
def test_a_sampler_that_is_not_understood_is_logged_and_samples_all(
    env: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with OtlpServer.start() as collector:
        with tracing_to(collector, env) as tracing:
            tracing.start("a", "server", NO_TRACE).end()
        collector.wait_for(1)
    assert "OTEL_TRACES_SAMPLER" in caplog.text


@pytest.mark.parametrize(
    ("kind", "error", "failed"),
    [
        ("server", Internal("broken"), True),
        ("server", Unavailable("broken"), True),
        ("server", DeadlineExceeded("broken"), True),
        ("server", InvalidArgument("broken"), False),
        ("server", MeshError("broken", code=Code.NOT_FOUND), False),
        ("client", InvalidArgument("broken"), True),
        ("internal", InvalidArgument("broken"), True),
    ],
)
def test_a_span_fails_unless_it_answers_a_caller_at_fault(
    kind: SpanKind, error: MeshError, failed: bool
) -> None:
    with OtlpServer.start() as collector:
        with tracing_to(collector) as tracing:
            span = tracing.start("a", kind, NO_TRACE)
            span.fail(error)
            span.end()
        (seen,) = collector.wait_for(1)
    assert seen.failed == failed
    assert seen.message == ("broken" if failed else "")
    assert seen.attributes["mesh.code"] == error.code.name
    assert ("error.type" in seen.attributes) == failed


def test_a_span_that_ends_twice_is_sent_once(caplog: pytest.LogCaptureFixture) -> None:
    with OtlpServer.start() as collector:
        with tracing_to(collector) as tracing:
            span = tracing.start("a", "internal", NO_TRACE)
            span.end()
            span.end()
        assert len(collector.wait_for(1)) == 1
    assert not caplog.records


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_closing_gives_up_on_a_collector_that_never_answers(
    protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        }
        tracing = Tracing.from_env(env, service_name="gateway")
        tracing.start("a", "internal", NO_TRACE).end()
        tracing.close(timeout=0.05)
    assert "did not reach their collector" in caplog.text


@pytest.mark.parametrize("parent", [PARENT, NOT_SAMPLED, NO_TRACE, Trace("nonsense")])
def test_off_passes_the_callers_trace_on_unchanged(parent: Trace) -> None:
    span = OFF.start("a", "server", parent, {"b": 1})
    assert span.trace is parent
    span.set("c", 2)
    span.fail(Internal("broken"))
    span.end()
    OFF.close()
    assert not OFF.enabled


def test_the_endpoint_of_traces_is_used_as_it_stands_over_http() -> None:
    with OtlpHttpServer.start() as collector:
        env = {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.endpoint}/v1/traces",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        }
        tracing = Tracing.from_env(env, service_name="gateway")
        tracing.start("a", "internal", NO_TRACE).end()
        tracing.close()
        collector.wait_for(1)


def loaded_after(program: str) -> set[str]:
    """The packages that `program` loads in a process of its own."""
    code = f"""
import sys, types
# In place of mesh/__init__.py, which loads what services need and gateways do not.
sys.modules["mesh"] = types.ModuleType("mesh")
sys.modules["mesh"].__path__ = ["mesh"]
{program}
print(*{{name.partition('.')[0] for name in sys.modules}})
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_observing_loads_only_the_standard_library_until_it_is_asked_for() -> None:
    program = """
from mesh.observe import logs, metrics, tracing
tracing.Tracing.from_env({}, service_name="gateway").close()
requests = metrics.RequestMetrics()
requests.begin(metrics.RequestKey())
requests.end(metrics.RequestKey(), "OK", 0.1)
"""
    foreign = loaded_after(program) - loaded_after("") - sys.stdlib_module_names
    assert not foreign
