"""The body of a failed call in BentoML's form; the gateway's too, so it loads no BentoML."""

import json

from mesh.errors import Code, MeshError

UNEXPECTED = "An unexpected error has occurred, please check the server log."
"""All that a client is told of a status of 500 and above."""
BLOCKED = "Connection blocked due to insecure input URL"
"""What is wrong with an input that is a URL of a private address."""
REFUSED = "Authorization error"
"""All that a client is told of the statuses 401 and 403."""


def error_body(error: MeshError) -> str:
    """JSON text: an object, or for an error that the service chose to raise a list with one."""
    if any(BLOCKED in violation.message for violation in error.violations):
        return _json([{"error": BLOCKED}])
    if error.violations:
        detail = [violation.detail() for violation in error.violations]
        return _json({"error": error.message, "detail": detail})
    if error.code is Code.INTERNAL and error.status >= 500:
        return _json({"error": UNEXPECTED})
    if is_own(error) or error.status >= 500 or error.status in (401, 403):
        return _json({"error": error.message})
    return _json([{"error": error.message}])


def is_own(error: MeshError) -> bool:
    """Whether the server itself refused the call or gave it up, and not the service."""
    if error.http_status is not None:
        return False
    overloaded = error.code is Code.RESOURCE_EXHAUSTED and error.retry_after is not None
    return overloaded or error.code is Code.DEADLINE_EXCEEDED


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
