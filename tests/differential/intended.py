"""Where the mesh means to differ from BentoML, field by field, and why."""

import json
from typing import NamedTuple

BODY = frozenset({"body"})
STATUS = frozenset({"status", "body"})
TYPE = frozenset({"body", "media_type"})
ALL = frozenset({"status", "body", "media_type"})
FIELDS = frozenset({"server", "vary", "x-bentoml-request-id"})


class Intended(NamedTuple):
    """The fields in which answers differ, and the reason."""

    fields: frozenset[str]
    reason: str


_PICKLE = "pickles are refused everywhere, which the text says"
_QUOTED = "text is bare whatever Python type it had: the client gives its users the quotes"
_JSON = "what is declared as no string is JSON: the client cannot read it otherwise"
_DEFAULT = "an empty body is no value, so a root input has its default"
_FORM = "a field that comes several times is a list"
_OUTPUT = "a wrong result is the service's fault, not the caller's"
_FITS = "a result that fits the model is one"
_INPUT = "wrong input is the caller's fault, and the answer names the field"
_WORDS = "the same fault in other words"
_NAN = "numbers that are not finite stay what they are, so that arrays keep their type"
_NULL = "null is no array"
_LOSS = "a number that does not fit the element type is refused instead of cut"
_DECIDES = "what an image is, its content says, not its label"
_BROKEN = "the answer says that the form is broken"
_SIZE = "a part that is too large is 413, and named"
_CURL = "curl says that JSON is a form, and of most files that they are octets"
_NAME = "clients that read no filename* find an ASCII name"
_ABORT = "a stream that fails midway is broken off, so that clients can tell"
_KEPT = "header fields that were set twice are sent twice"
_OWN = "a response that the method made keeps its status"
_ROOT = "pages are both at the root, where BentoML's own client looks, and under the prefix"
_OBJECTS = "the elements of an array are numbers, booleans or text"
_UTF_8 = "text that is no UTF-8 is refused, not changed"
_CASE = "media types are the same in upper case"
_NUMBER = "a status that is given as a number is one"
_BELOW = "BentoML's server fails beneath its own form of errors"
_EMPTY = "nothing at all needs no chunks"
_DOCS = "the pages about a service are the mesh's own"

INTENDED = {
    "text pickle": Intended(BODY, _PICKLE),
    "any text": Intended(BODY, _JSON),
    "union out str": Intended(BODY, _JSON),
    **{name: Intended(BODY, _QUOTED) for name in ("color", "moment", "day", "span", "identifier")},
    "amount": Intended(TYPE, _QUOTED),
    "amount number": Intended(TYPE, _QUOTED),
    "numbers repeated": Intended(STATUS, _FORM),
    "wrong output": Intended(STATUS, _OUTPUT),
    "wrong model output": Intended(STATUS, _FITS),
    "root text empty": Intended(BODY, _DEFAULT),
    "root whole empty": Intended(STATUS, _DEFAULT),
    "root whole malformed": Intended(STATUS, _INPUT),
    "root words malformed": Intended(STATUS, _INPUT),
    "root words wrong": Intended(BODY, _WORDS),
    "root image undecodable": Intended(STATUS, _INPUT),
    "array nan": Intended(BODY, _NAN),
    "array null": Intended(ALL, _NULL),
    "array small overflow": Intended(STATUS, _INPUT),
    "array small truncated": Intended(ALL, _LOSS),
    "tensor ragged": Intended(BODY, _WORDS),
    "tensor shaped wrong": Intended(STATUS, _INPUT),
    "tensor word": Intended(BODY, _WORDS),
    "frame hole": Intended(BODY, _NAN),
    "frame scalar": Intended(BODY, _WORDS),
    "image mislabelled": Intended(ALL, _DECIDES),
    "image unknown subtype": Intended(ALL, _DECIDES),
    "image undecodable": Intended(STATUS, _INPUT),
    "image no url": Intended(STATUS, _INPUT),
    "image broken form": Intended(BODY, _BROKEN),
    "image json string": Intended(STATUS, _INPUT),
    "file typed by name": Intended(ALL, _CURL),
    "odd form that is json": Intended(ALL, _CURL),
    "file large part": Intended(STATUS, _SIZE),
    "file out umlaut": Intended(frozenset({"content-disposition"}), _NAME),
    "stream late": Intended(BODY, _ABORT),
    "many headers": Intended(frozenset({"x-multi"}), _KEPT),
    "response overwritten": Intended(frozenset({"status"}), _OWN),
    "prefixed ready at the root": Intended(STATUS, _ROOT),
    "prefixed alive at the root": Intended(STATUS, _ROOT),
    "prefixed metrics at the root": Intended(frozenset({"status", "media_type"}), _ROOT),
    "prefixed schema": Intended(frozenset({"status", "media_type"}), _ROOT),
    "fail numbered": Intended(ALL | FIELDS, _NUMBER),
    "reply missing file": Intended(TYPE | FIELDS, _BELOW),
    "reply no text": Intended(STATUS, _OUTPUT),
    "odd form upper case": Intended(ALL, _CASE),
    "odd form not utf-8": Intended(ALL, _UTF_8),
    "odd multipart bad utf-8": Intended(ALL, _UTF_8),
    "odd multipart no boundary": Intended(STATUS, _INPUT),
    "odd multipart no body": Intended(BODY, _BROKEN),
    "value array of objects": Intended(ALL, _OBJECTS),
    "value tensor null": Intended(STATUS, _INPUT),
    "value frame mixed": Intended(BODY, _NAN),
    "value frame missing columns": Intended(BODY, _NAN),
    "HEAD /docs.json": Intended(frozenset({"etag", "cache-control"}), _DOCS),
    "HEAD /": Intended(frozenset({"last-modified", "accept-ranges", "cache-control"}), _DOCS),
    "stream none": Intended(frozenset({"content-length", "transfer-encoding"}), _EMPTY),
    **{
        f"value {path} {json.dumps(value)}": Intended(BODY, _QUOTED)
        for path, values in {
            "moment": (0, 1767323045, "2026-01-02", "2026-01-02 03:04"),
            "day": ("2026-01-02T00:00:00", 0),
            "span": (90, 1.5, "1 day", "00:01:30"),
            "identifier": ("12345678123456781234567812345678",),
        }.items()
        for value in values
    },
    "value amount 1.1": Intended(TYPE, _QUOTED),
    'value amount "1e5"': Intended(TYPE, _QUOTED),
}

CLIENT_INTENDED = {
    "any_text": _JSON,
    "union_out": _JSON,
    **dict.fromkeys(("color", "moment", "day", "span", "identifier"), _QUOTED),
    "wrong_output": _OUTPUT,
    "array_nan": _NAN,
    "file_out_umlaut": _NAME,
}
"""Calls of BentoML's clients that return something else, and why."""
