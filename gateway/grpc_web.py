"""gRPC-Web: what Envoy does so that pages in browsers can call gRPC methods.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md. Envoy turns such requests into plain
gRPC ones and their replies back; pages of other origins need to be allowed.
"""

from collections.abc import Sequence
from typing import Any

_FILTER = "type.googleapis.com/envoy.extensions.filters.http"


def speak_grpc_web(http: dict[str, Any], origins: Sequence[str]) -> None:
    """Adds gRPC-Web to the configuration of an Envoy HTTP connection manager.

    Pages of `origins` may call it, those of any origin if `*` is among them, without cookies.
    """
    filters = [_filter("grpc_web", "GrpcWeb")]
    if origins:
        filters.insert(0, _filter("cors", "Cors"))
        for host in http["route_config"]["virtual_hosts"]:
            host["routes"] = _routes(origins)
    http["http_filters"] = [*filters, *http["http_filters"]]


def _filter(name: str, message: str) -> dict[str, Any]:
    return {
        "name": f"envoy.filters.http.{name}",
        "typed_config": {"@type": f"{_FILTER}.{name}.v3.{message}"},
    }


def _routes(origins: Sequence[str]) -> list[dict[str, Any]]:
    """The policy for calls of gRPC-Web and the questions of browsers before them only.

    Other requests to services have rules of their own.
    """
    policy = {
        "@type": f"{_FILTER}.cors.v3.CorsPolicy",
        "allow_origin_string_match": [
            {"safe_regex": {"regex": ".*"}} if origin == "*" else {"exact": origin}
            for origin in origins
        ],
        "allow_methods": "POST",
        "allow_headers": "*, authorization",
        "expose_headers": "*",
        "max_age": "600",
    }
    call = [{"name": "content-type", "string_match": {"prefix": "application/grpc-web"}}]
    question = [
        {"name": ":method", "string_match": {"exact": "OPTIONS"}},
        {"name": "access-control-request-headers", "string_match": {"contains": "x-grpc-web"}},
    ]
    return [
        {
            "match": {"prefix": "/", "headers": headers},
            "non_forwarding_action": {},
            "typed_per_filter_config": {"envoy.filters.http.cors": policy},
        }
        for headers in (call, question)
    ]
