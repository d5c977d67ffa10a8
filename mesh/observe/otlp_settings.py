"""The environment's wish for traces: the standard OpenTelemetry variables → one value. Pure."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

logger = logging.getLogger(__name__)

Protocol = Literal["grpc", "http/protobuf"]


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """Where spans go and which.

    `endpoint` is a URL, for `http/protobuf` with its path; `headers` and `sampler_argument` are
    as the variables have them; `attributes` describe this process and always have `service.name`.
    """

    protocol: Protocol
    endpoint: str
    headers: str
    sampler: str
    sampler_argument: str
    attributes: Mapping[str, str]


def otlp_settings(env: Mapping[str, str], *, service_name: str) -> OtlpSettings | None:
    """What `env` asks for; None if it asks for no export of traces by OTLP.

    As the specification says, an empty variable is one that is not there, and a value that is
    not understood is logged and passed over. `service_name` holds where `env` names none.
    """
    if not _is_wanted(env):
        return None
    protocol = _protocol(env)
    return OtlpSettings(
        protocol=protocol,
        endpoint=_endpoint(env, protocol),
        headers=_for_traces(env, "HEADERS"),
        sampler=env.get("OTEL_TRACES_SAMPLER", "").strip().lower() or "parentbased_always_on",
        sampler_argument=env.get("OTEL_TRACES_SAMPLER_ARG", ""),
        attributes=_attributes(env, service_name),
    )


def _is_wanted(env: Mapping[str, str]) -> bool:
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    named = {name.strip() for name in env.get("OTEL_TRACES_EXPORTER", "").split(",")} - {""}
    if unknown := named - {"otlp", "none"}:
        logger.warning(
            "OTEL_TRACES_EXPORTER: only otlp and none are known, not %s", sorted(unknown)
        )
    if named:
        return "otlp" in named and "none" not in named
    return bool(_for_traces(env, "ENDPOINT"))


def _for_traces(env: Mapping[str, str], name: str) -> str:
    """The variable of traces alone, or else the one of all signals."""
    own = env.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}", "").strip()
    return own or env.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip()


def _protocol(env: Mapping[str, str]) -> Protocol:
    match _for_traces(env, "PROTOCOL"):
        case "" | "grpc":
            return "grpc"
        case "http/protobuf":
            return "http/protobuf"
        case unknown:
            logger.warning(
                "OTEL_EXPORTER_OTLP_PROTOCOL: grpc is used, %r is neither that nor http/protobuf",
                unknown,
            )
            return "grpc"


def _endpoint(env: Mapping[str, str], protocol: Protocol) -> str:
    endpoint = _for_traces(env, "ENDPOINT")
    if protocol == "grpc":
        return endpoint or "http://localhost:4317"
    if endpoint and endpoint == env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip():
        return endpoint
    return (endpoint or "http://localhost:4318").rstrip("/") + "/v1/traces"


def _attributes(env: Mapping[str, str], service_name: str) -> Mapping[str, str]:
    pairs = (pair.partition("=") for pair in env.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","))
    given = {name.strip(): unquote(value.strip()) for name, _, value in pairs if name.strip()}
    name = env.get("OTEL_SERVICE_NAME", "").strip() or given.get("service.name") or service_name
    return given | {"service.name": name}
