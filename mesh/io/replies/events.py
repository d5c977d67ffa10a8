"""Items of a stream as events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

An item that is text is the event's data as it is; bytes are base64; anything else is JSON. What
fails midway is an event of type `error`, whose data is `{"error": message}`.
"""

import base64
import re

import orjson

_BREAK = re.compile(rb"\r\n|\r|\n")


def event(data: bytes, kind: str = "") -> bytes:
    """One event with this data, which is UTF-8: a line of it for each line of the data.

    Its readers get the lines apart by line feeds, whatever broke them here.
    """
    name = b"event: %b\n" % kind.encode() if kind else b""
    lines = _BREAK.split(data) if b"\n" in data or b"\r" in data else (data,)
    return name + b"".join([b"data: %b\n" % line for line in lines]) + b"\n"


def binary_event(data: bytes) -> bytes:
    """One event with bytes, as base64."""
    return event(base64.b64encode(data))


def error_event(message: str) -> bytes:
    """The event that tells that nothing more comes, and why."""
    return event(orjson.dumps({"error": message}), "error")
