"""`python -m gateway`: this process becomes a gateway."""

import argparse
import os
import sys

from gateway.envoy import Listen, become
from gateway.main import MAX_REQUEST_BYTES
from gateway.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Parses the command line and becomes the gateway; returns only if that failed."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description=__doc__)
    parser.add_argument("--controller", required=True, help="host:port of the controller")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104
    parser.add_argument("--port", type=int, default=3000, help="port to listen on")
    parser.add_argument("--name", default="gateway", help="who this is, in the controller's log")
    parser.add_argument("--max-request-bytes", type=int, default=MAX_REQUEST_BYTES)
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
    )
    try:
        become(Listen(given.host, given.port, given.admin_path), settings, os.environ)
    except OSError as error:
        sys.stderr.write(f"the gateway cannot start: {error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
