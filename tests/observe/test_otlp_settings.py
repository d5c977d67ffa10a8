import pytest

from mesh.observe.otlp_settings import OtlpSettings, otlp_settings

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
HTTP = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
OTLP = {"OTEL_TRACES_EXPORTER": "otlp"}


def settings(env: dict[str, str]) -> OtlpSettings:
    asked = otlp_settings(env, service_name="gateway")
    assert asked is not None
    return asked


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"OTEL_SERVICE_NAME": "a"},
        {ENDPOINT: ""},
        {ENDPOINT: "http://a:1", "OTEL_SDK_DISABLED": "TRUE"},
        {ENDPOINT: "http://a:1", "OTEL_TRACES_EXPORTER": "none"},
        {ENDPOINT: "http://a:1", "OTEL_TRACES_EXPORTER": "none,otlp"},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://a:1"},
    ],
)
def test_an_environment_that_does_not_ask_for_traces_gets_none(env: dict[str, str]) -> None:
    assert otlp_settings(env, service_name="gateway") is None


@pytest.mark.parametrize(
    "env",
    [
        {ENDPOINT: "http://a:1"},
        {TRACES_ENDPOINT: "http://a:1"},
        OTLP,
        {"OTEL_TRACES_EXPORTER": " console, otlp"},
        {ENDPOINT: "http://a:1", "OTEL_SDK_DISABLED": "false", "OTEL_TRACES_EXPORTER": ""},
    ],
)
def test_an_endpoint_or_an_exporter_asks_for_traces(env: dict[str, str]) -> None:
    assert settings(env)


def test_an_exporter_that_is_not_known_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    env = {ENDPOINT: "http://a:1", "OTEL_TRACES_EXPORTER": "zipkin"}
    assert otlp_settings(env, service_name="gateway") is None
    assert "zipkin" in caplog.text


@pytest.mark.parametrize(
    ("env", "endpoint"),
    [
        (OTLP, "http://localhost:4317"),
        (OTLP | HTTP, "http://localhost:4318/v1/traces"),
        ({ENDPOINT: "http://a:1"}, "http://a:1"),
        ({ENDPOINT: "http://a:1", TRACES_ENDPOINT: "http://b:2"}, "http://b:2"),
        (HTTP | {ENDPOINT: "http://a:1"}, "http://a:1/v1/traces"),
        (HTTP | {ENDPOINT: "http://a:1/base/"}, "http://a:1/base/v1/traces"),
        (HTTP | {TRACES_ENDPOINT: "http://b:2/own"}, "http://b:2/own"),
        (HTTP | {TRACES_ENDPOINT: "http://b:2", ENDPOINT: "http://a:1"}, "http://b:2"),
    ],
)
def test_where_spans_go(env: dict[str, str], endpoint: str) -> None:
    assert settings(env).endpoint == endpoint


def test_the_protocol_of_traces_goes_before_the_general_one() -> None:
    env = OTLP | HTTP | {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}
    assert settings(env).protocol == "grpc"


def test_a_protocol_that_is_not_known_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert settings(OTLP | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}).protocol == "grpc"
    assert "http/json" in caplog.text


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({}, "gateway"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=a%2Cb"}, "a,b"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=a", "OTEL_SERVICE_NAME": "b"}, "b"),
        ({"OTEL_RESOURCE_ATTRIBUTES": ",,=,rubbish", "OTEL_SERVICE_NAME": " "}, "gateway"),
    ],
)
def test_what_the_process_is_called(env: dict[str, str], name: str) -> None:
    assert settings(OTLP | env).attributes["service.name"] == name


def test_resource_attributes_are_decoded() -> None:
    env = OTLP | {"OTEL_RESOURCE_ATTRIBUTES": "a=1, b = x%20y"}
    assert settings(env).attributes == {"a": "1", "b": "x y", "service.name": "gateway"}
