"""`python -m gateway`: this process becomes a gateway.

MESH_CONTROL_TOKEN has the token of the control plane, where it has one.
"""

import argparse
import os
import sys

from gateway.drain import GRACE
from gateway.envoy import Listen, become
from gateway.main import BODY_TIMEOUT, MAX_REQUEST_BYTES
from gateway.settings import TOKEN, Settings


def main(arguments: list[str] | None = None) -> int:
    """Parses the command line and becomes the gateway; returns only if that failed."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description=__doc__)
    parser.add_argument("--controller", required=True, help="host:port of the controller")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104
    parser.add_argument("--port", type=int, default=3000, help="port to listen on")
    parser.add_argument("--name", default="gateway", help="who this is, in the controller's log")
    parser.add_argument("--max-request-bytes", type=int, default=MAX_REQUEST_BYTES)
    parser.add_argument(
        "--grpc-web-origin",
        action="append",
        default=[],
        type=_origin,
        help="whose pages may call gRPC-Web, such as https://app.example.com, or *; repeatable",
    )
    parser.add_argument(
        "--grace", type=int, default=GRACE, help="seconds that calls have to finish on SIGTERM"
    )
    parser.add_argument(
        "--body-timeout",
        type=int,
        default=BODY_TIMEOUT,
        help="seconds without a byte after which a gRPC request without a deadline is given up",
    )
    parser.add_argument("--log-level", default="INFO")
    parser.add_argument("--log-format", choices=("json", "text"), default="json")
    parser.add_argument("--admin-path", default="", help="file for the administration address")
    parser.add_argument("--end-with-parent", action="store_true", help="end when the parent does")
    given = parser.parse_args(arguments)
    settings = Settings(
        given.controller,
        given.name,
        given.max_request_bytes,
        given.log_level,
        given.log_format == "json",
        os.getppid() if given.end_with_parent else 0,
        grace=max(0, given.grace),
        body_timeout=max(1, given.body_timeout),
        token=os.environ.get(TOKEN, ""),
    )
    try:
        origins = tuple(given.grpc_web_origin)
        listen = Listen(given.host, given.port, given.admin_path, origins)
        become(listen, settings, os.environ)
    except OSError as error:
        sys.stderr.write(f"the gateway cannot start: {error}\n")
    return 1


def _origin(text: str) -> str:
    """An origin as browsers send it. Raises ValueError for what none can be."""
    scheme, _, host = text.rstrip("/").partition("://")
    if text != "*" and not (scheme and host and "/" not in host):
        raise ValueError
    return text.rstrip("/").lower()


if __name__ == "__main__":
    sys.exit(main())
