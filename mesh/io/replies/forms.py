"""Every form that the results of one method can take, and which one a caller gets."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Final

import numpy as np

from mesh.call import CALL, JSON
from mesh.io.arrow import write_table
from mesh.io.bodies.npy import write_npy
from mesh.io.json_text import json_text
from mesh.io.media import ARROW, EVENTS, FORM, MIXED, NDJSON, NPY, essence, is_call, preferred
from mesh.io.replies.body import ReplyBody, body_of
from mesh.io.replies.encoder import Encode, ReplyEncoder, Style, always, never
from mesh.io.replies.events import binary_event, error_event, event
from mesh.io.replies.file_body import file_body
from mesh.io.replies.multipart import multipart
from mesh.io.replies.natural import Natural
from mesh.io.replies.values import Values
from mesh.io.types.file import File
from mesh.io.types.registry import is_file_class
from mesh.io.types.table import Column, Table
from mesh.io.wire import Chunks, put_field

_VALUE = b"\x0a"  # the field of mesh.v1.CallReply
_REMEMBERED: Final = 64
"""Accept headers per method whose meaning is kept; clients of one sort send the same one."""

_BARE, _CALL, _EVENTS, _LINES = "bare", "call", "events", "lines"
MakeForm = Callable[[Any], ReplyBody | None]
"""A wire value in one form; None if it has none in that."""


def _with_charset(body: ReplyBody) -> ReplyBody:
    is_bare = body.media_type.startswith("text/") and "charset=" not in body.media_type.lower()
    return replace(body, media_type=f"{body.media_type}; charset=utf-8") if is_bare else body


class Forms:
    """Makes the encoders of one method. Immutable but for what it remembers."""

    def __init__(self, values: Values, natural: Natural, *, stream: bool, style: Style) -> None:
        self._values = values
        self._natural = natural
        self._stream = stream
        self._style = style
        self.json = self._bare()
        self.call = self._of_call()
        self._chosen = lru_cache(_REMEMBERED)(self._choose)

    def __repr__(self) -> str:
        return f"<Forms of {self._values.method}: {self._natural.media_type}>"

    def encoder(self, request_media_type: str, accept: str) -> ReplyEncoder:
        """The encoder for a caller who sent such a request and accepts these media types.

        Raises UnsupportedMediaType for pickles.
        """
        if request_media_type == JSON and accept in ("", "*/*"):
            return self.json
        return self._chosen(is_call(request_media_type), accept)

    def _choose(self, by_call: bool, accept: str) -> ReplyEncoder:
        default = _CALL if by_call else _BARE
        order = preferred(accept, self._offers(), default)
        ready = {_BARE: self.json, _CALL: self.call}.get(order[0])
        if ready is not None:
            return ready
        return self._of_stream(order[0]) if self._stream else self._negotiated(order)

    def _offers(self) -> dict[str, tuple[str, ...]]:
        offers: dict[str, tuple[str, ...]] = {_CALL: (CALL,)}
        if not self._stream:
            offers[_BARE] = tuple({JSON, essence(self._natural.media_type)})
            return offers | {each: (each,) for each in (NPY, ARROW, MIXED, FORM)}
        offers[_BARE] = (JSON,)
        if not self._style.framed:
            return offers
        if essence(self._natural.media_type) != essence(EVENTS):  # else its items are events
            offers[_EVENTS] = (essence(EVENTS),)
        return offers | {_LINES: (NDJSON,)}

    # One value

    def _bare(self) -> ReplyEncoder:
        values, natural = self._values, self._natural
        media_type = natural.media_type
        if self._stream and not natural.declared:
            media_type = EVENTS
        varies = is_file_value if values.is_free else always if values.has_files else never
        return ReplyEncoder(
            media_type,
            self._stream,
            values.guarded(natural.write),
            blocks=values.has_files,
            varies=never if self._stream else varies,
            body=values.guarded(self._bare_body),
        )

    def _bare_body(self, checked: Any) -> ReplyBody:
        natural = self._natural
        if natural.write_wire is None:
            return body_of(natural.media_type, natural.write(checked))
        return self._bare_wire(self._values.wire(checked), natural.write_wire)

    def _bare_wire(self, wire: Any, write: Encode) -> ReplyBody:
        if isinstance(wire, File) and not wire.uri:
            body = file_body(wire)
            return _with_charset(body) if self._style.charset else body
        return body_of(self._natural.media_type, write(wire))

    def _of_call(self) -> ReplyEncoder:
        values = self._values
        blocks = values.has_files
        encode = values.guarded(lambda checked: _reply(values.wire(checked)))
        return ReplyEncoder(CALL, self._stream, encode, blocks=blocks)

    def _negotiated(self, order: list[str]) -> ReplyEncoder:
        """An encoder that tries the forms in turn, of which the last takes every value."""
        values = self._values
        makers = [_MAKERS[form] for form in order if form != _BARE]
        write_wire = self._natural.write_wire

        def make(checked: Any) -> ReplyBody:
            wire = values.wire(checked)
            for maker in makers:
                if (body := maker(wire)) is not None:
                    return body
            if write_wire is None:
                return self._bare_body(checked)
            return self._bare_wire(wire, write_wire)

        body = values.guarded(make)

        def encode(value: Any) -> bytes:
            return b"".join(body(value).pieces())

        return ReplyEncoder(order[0], False, encode, blocks=True, varies=always, body=body)

    # A stream

    def _of_stream(self, form: str) -> ReplyEncoder:
        values = self._values
        if form == _EVENTS:
            encode = values.guarded(self._event)
            return replace(self.json, media_type=EVENTS, encode=encode, failure=error_event)
        return replace(self.json, media_type=NDJSON, encode=values.guarded(self._line))

    def _event(self, checked: Any) -> bytes:
        if isinstance(checked, bytes):
            return binary_event(checked)
        return event(self._natural.write(checked))

    def _line(self, checked: Any) -> bytes:
        if self._natural.media_type == JSON:
            return self._natural.write(checked) + b"\n"
        return json_text(self._values.wire(checked)) + b"\n"


def is_file_value(value: Any) -> bool:
    """Whether a value of no annotation is a file by its class."""
    cls: type = type(value)
    return is_file_class(cls)


def _reply(wire: Any) -> bytes:
    out: Chunks = []
    put_field(out, _VALUE, wire)
    return b"".join(out)


def _npy(wire: Any) -> ReplyBody | None:
    return body_of(NPY, write_npy(wire)) if isinstance(wire, np.ndarray) else None


def _arrow(wire: Any) -> ReplyBody | None:
    return body_of(ARROW, write_table(wire)) if isinstance(wire, Table | Column) else None


def _as_call(wire: Any) -> ReplyBody | None:
    return body_of(CALL, _reply(wire))


_MAKERS: dict[str, MakeForm] = {
    NPY: _npy,
    ARROW: _arrow,
    MIXED: partial(multipart, "mixed"),
    FORM: partial(multipart, "form-data"),
    _CALL: _as_call,
}
