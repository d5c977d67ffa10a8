"""A MeshError as the body of an HTTP reply and as the trailers of a gRPC reply."""

import json
from base64 import b64encode
from urllib.parse import quote

from gateway.authorization import TokenWantedError
from mesh import rich_status
from mesh.compat.bentoml.error_body import error_body
from mesh.edge import Dialect
from mesh.errors import MeshError

PLAIN = b"text/plain; charset=utf-8"
JSON = b"application/json"
UNEXPECTED = "An unexpected error has occurred, please check the server log."
"""All that a client is told of a fault whose text belongs in the log."""
_BARE = frozenset({"Not Found", "Method Not Allowed"})


def http_body(error: MeshError, dialect: Dialect = Dialect.MESH) -> tuple[bytes, bytes]:
    """Media type and body: `{"error": …}`, with `detail` for each violation of the input.

    Services of another dialect have some in other forms.
    """
    if error.message in _BARE:
        return PLAIN, error.message.encode()
    if dialect is Dialect.BENTOML:
        return JSON, error_body(error).encode()
    body: dict[str, object] = {"error": error.message}
    if error.violations:
        body["detail"] = [violation.detail() for violation in error.violations]
    return JSON, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def last_frame(error: MeshError) -> bytes:
    """What ends a stream of mesh.v1 messages that failed midway.

    Its length has the highest bit set; then come the HTTP status in two bytes and the body of a
    reply to a failed call.
    """
    told = error.status.to_bytes(2, "big") + http_body(error)[1]
    return (len(told) | 1 << 31).to_bytes(4, "big") + told


def http_headers(error: MeshError) -> list[tuple[bytes, bytes]]:
    """Header fields that go with the error, such as `retry-after` in whole seconds."""
    if error.status == 405:
        return [(b"allow", b"POST")]
    if isinstance(error, TokenWantedError):
        return [(b"www-authenticate", b"Bearer")]
    if error.retry_after is None:
        return []
    return [(b"retry-after", b"%d" % max(1, round(error.retry_after)))]


def sentence(error: MeshError) -> str:
    """The error as one text, which names the fields that are at fault; cut where it is long."""
    faults = [
        f"{'.'.join(map(str, violation.path)) or 'body'}: {violation.message}"
        for violation in error.violations[:_MOST_FAULTS]
    ]
    if (more := len(error.violations) - len(faults)) > 0:
        faults.append(f"and {more} more")
    text = ": ".join(filter(None, [error.message, "; ".join(faults)]))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def grpc_trailers(error: MeshError) -> list[tuple[bytes, bytes]]:
    """`grpc-status` and `grpc-message`; the message names the fields that are at fault.

    The message is percent-encoded as
    https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md says. Faults of the input and
    the time to wait are in `grpc-status-details-bin` as well, for programs. All of it stays below
    the 8 KiB of metadata that clients commonly take.
    """
    text, encoded = _percent_encoded(sentence(error))
    trailers = [(b"grpc-status", b"%d" % error.code)]
    if text:
        trailers.append((b"grpc-message", encoded))
    if error.retry_after is not None:
        # https://github.com/grpc/proposal/blob/master/A6-client-retries.md
        trailers.append((b"grpc-retry-pushback-ms", b"%d" % round(error.retry_after * 1000)))
    details = rich_status.encode(error, text)
    if details:
        trailers.append((rich_status.KEY.encode(), b64encode(details).rstrip(b"=")))
    return trailers


def _percent_encoded(text: str) -> tuple[str, bytes]:
    """The text, cut where it is too long, and as it is written."""
    text = rich_status.writable(text)
    encoded = quote(text, safe=_UNQUOTED)
    while len(encoded) > _MOST_BYTES:
        text = text[: len(text) * _MOST_BYTES // (len(encoded) + 8)]
        encoded = quote(text + "…", safe=_UNQUOTED)
        if len(encoded) <= _MOST_BYTES:
            text += "…"
    return text, encoded.encode()


_UNQUOTED = " !\"#$&'()*+,/:;<=>?@[\\]^`{|}"
"""Printable ASCII without the percent sign; letters, digits and `_.-~` are never quoted."""
_MOST_BYTES = 2048
"""Bytes of a percent-encoded message."""
_LONGEST = 4096
"""Characters of a sentence; more would only be encoded to be cut off."""
_MOST_FAULTS = 20
"""Faults that a message names."""
