"""Requests that both servers get: each a name, what is sent, and what is compared."""

import io
import json
from dataclasses import dataclass, field
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Case:
    """One request. `body` may be a value to send as JSON, or bytes as they are."""

    name: str
    path: str
    body: Any = b""
    verb: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    service: str = "main"

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    @property
    def fields(self) -> dict[str, str]:
        if isinstance(self.body, bytes):
            return self.headers
        return {"content-type": "application/json", **self.headers}


def picture(kind: str = "PNG", size: tuple[int, int] = (3, 2)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, format=kind)
    return buffer.getvalue()


PNG = picture()
JPEG = picture("JPEG")
BOUNDARY = "0123456789abcdef"


_OCTETS = "application/octet-stream"


def part(
    name: str, content: bytes | str, *, file: str | None = None, kind: str | None = None
) -> bytes:
    head = f'content-disposition: form-data; name="{name}"'
    head += f'; filename="{file}"' if file is not None else ""
    head += f"\r\ncontent-type: {kind}" if kind is not None else ""
    data = content.encode() if isinstance(content, str) else content
    return b"--%s\r\n%s\r\n\r\n%s\r\n" % (BOUNDARY.encode(), head.encode(), data)


def form(name: str, path: str, *parts: bytes, end: bool = True) -> Case:
    body = b"".join(parts) + (b"--%s--\r\n" % BOUNDARY.encode() if end else b"")
    return Case(
        name, path, body, headers={"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    )


def typed(name: str, path: str, body: bytes, kind: str, **more: Any) -> Case:
    return Case(name, path, body, headers={"content-type": kind, **more.pop("headers", {})}, **more)


SCALARS = [
    Case("text", "/text", {"prompt": 'héllo "you"'}),
    Case("text empty", "/text", {"prompt": ""}),
    Case("text number", "/text", {"prompt": 1}),
    Case("text missing", "/text", {}),
    Case("text no body", "/text"),
    Case("text extra field", "/text", {"prompt": "a", "more": 1}),
    Case("text null", "/text", {"prompt": None}),
    Case("text no media type", "/text", b'{"prompt": "a"}'),
    typed("text unknown media type", "/text", b'{"prompt": "a"}', "application/xml"),
    typed("text charset", "/text", b'{"prompt": "a"}', "application/json; charset=utf-8"),
    typed("text malformed", "/text", b"{prompt: 1}", "application/json"),
    typed("text cut", "/text", b'{"prompt": "a', "application/json"),
    typed("text bad utf-8", "/text", b'{"prompt": "\xff"}', "application/json"),
    typed("text array", "/text", b"[1]", "application/json"),
    typed("text string", "/text", b'"a"', "application/json"),
    typed("text null body", "/text", b"null", "application/json"),
    typed("text xml body", "/text", b"<a/>", "application/xml"),
    typed("text pickle", "/text", b"\x80\x05", "application/vnd.bentoml+pickle"),
    typed("text urlencoded", "/text", b"prompt=a+b%20c", "application/x-www-form-urlencoded"),
    typed("text urlencoded number", "/text", b"prompt=1", "application/x-www-form-urlencoded"),
    typed("text urlencoded quoted", "/text", b'prompt="1"', "application/x-www-form-urlencoded"),
    form("text multipart", "/text", part("prompt", "hi")),
    Case("text query is no argument", "/text?prompt=a", {}),
    Case("whole", "/whole", {"x": 1}),
    Case("whole string", "/whole", {"x": "1"}),
    Case("whole float", "/whole", {"x": 2.0}),
    Case("whole true", "/whole", {"x": True}),
    Case("whole half", "/whole", {"x": 1.5}),
    Case("whole word", "/whole", {"x": "one"}),
    Case("whole huge", "/whole", {"x": 10**30}),
    typed("whole overflow", "/whole", b'{"x": 1e400}', "application/json"),
    typed("whole urlencoded", "/whole", b"x=1", "application/x-www-form-urlencoded"),
    Case("real", "/real", {"x": 1.5}),
    Case("real whole", "/real", {"x": 1}),
    typed("real nan", "/real", b'{"x": NaN}', "application/json"),
    typed("real infinity", "/real", b'{"x": -Infinity}', "application/json"),
    typed("real overflow", "/real", b'{"x": 1e999}', "application/json"),
    Case("flag", "/flag", {"x": True}),
    Case("flag yes", "/flag", {"x": "yes"}),
    Case("flag two", "/flag", {"x": 2}),
    Case("octets", "/octets", {"x": "é"}),
    Case("anything", "/anything", {"x": [1, {"a": None}]}),
    Case("anything missing", "/anything", {}),
    Case("any text", "/any_text", {"x": "word"}),
    Case("nothing", "/nothing", {}),
    Case("nothing no body", "/nothing"),
    Case("unannotated", "/unannotated", {"x": 1}),
    Case("optional", "/optional", {}),
    Case("optional no body", "/optional"),
    Case("optional given", "/optional", {"n": 1, "word": "a"}),
    Case("optional null", "/optional", {"n": None}),
    Case("optional wrong", "/optional", {"n": "one"}),
    Case("optional required", "/optional_required", {"n": None}),
    Case("optional required missing", "/optional_required", {}),
    Case("union int", "/union", {"x": 1}),
    Case("union str", "/union", {"x": "1"}),
    Case("union neither", "/union", {"x": []}),
    Case("union out int", "/union_out", {"x": 1}),
    Case("union out str", "/union_out", {"x": "a"}),
    Case("color", "/color", {"x": "red"}),
    Case("color unknown", "/color", {"x": "green"}),
    Case("literal", "/literal", {"x": 3}),
    Case("literal unknown", "/literal", {"x": "c"}),
    Case("moment", "/moment", {"x": "2026-01-02T03:04:05Z"}),
    Case("moment wrong", "/moment", {"x": "soon"}),
    Case("day", "/day", {"x": "2026-01-02"}),
    Case("span", "/span", {"x": "PT90S"}),
    Case("identifier", "/identifier", {"x": "12345678-1234-5678-1234-567812345678"}),
    Case("identifier wrong", "/identifier", {"x": "1234"}),
    Case("amount", "/amount", {"x": "1.10"}),
    Case("amount number", "/amount", {"x": 2}),
    Case("constrained", "/constrained", {"prompt": "a", "temperature": 1, "tokens": 200}),
    Case("constrained defaults", "/constrained", {"prompt": "a"}),
    Case("constrained wrong", "/constrained", {"prompt": "abcdef", "temperature": 2, "tokens": 7}),
]

CONTAINERS = [
    Case("numbers", "/numbers", {"x": [1, "2", 3.0]}),
    Case("numbers wrong", "/numbers", {"x": [1, "a", "b"]}),
    Case("numbers no list", "/numbers", {"x": 1}),
    typed("numbers urlencoded", "/numbers", b"x=%5B1%2C2%5D", "application/x-www-form-urlencoded"),
    typed("numbers repeated", "/numbers", b"x=1&x=2", "application/x-www-form-urlencoded"),
    Case("anything listed", "/anything_listed", {"x": [1, "a", None, [2]]}),
    Case("table", "/table", {"x": {"a": 1}}),
    Case("table wrong", "/table", {"x": {"a": "b"}}),
    Case("anything named", "/anything_named", {"x": {"a": [1], "b": {"c": "é"}}}),
    Case("couple", "/couple", {"x": [1, "a"]}),
    Case("couple short", "/couple", {"x": [1]}),
    Case("couple out", "/couple_out", {"x": 1}),
    Case("pair", "/pair", {"x": [1, "a"]}),
    Case("members", "/members", {"x": [3, 1, 3]}),
    Case("typed dict", "/typed_dict", {"x": {"depth": 2}}),
    Case("typed dict missing", "/typed_dict", {"x": {}}),
    Case("model", "/model", {"m": {"a": 1}}),
    Case("model wrong", "/model", {"m": {"a": "x"}}),
    Case("model missing", "/model", {"m": {}}),
    Case("model flat", "/model", {"a": 1}),
    Case(
        "nested",
        "/nested",
        {"m": {"sub": {"a": 1}, "subs": [{"a": 2}], "by_name": {"k": {"a": 3}}}},
    ),
    Case(
        "nested wrong",
        "/nested",
        {"m": {"sub": {}, "subs": [{"a": 2}, {"a": "x"}], "by_name": {"k": 1}}},
    ),
    Case("models", "/models", {"x": [{"a": 1}, {"a": 2, "b": "y"}]}),
    Case("models named", "/models_named", {"x": {"k": {"a": 1}}}),
    Case("point", "/point", {"p": {"x": 1}}),
    Case("wrong output", "/wrong_output", {"x": "abc"}),
    Case("lax output", "/wrong_output", {"x": "12"}),
    Case("wrong model output", "/wrong_model", {"x": 1}),
    Case("bytes named", "/bytes_named", {"x": "é"}),
    Case("several", "/several", {"args": [1, 2]}),
    Case("several missing", "/several", {}),
    Case("keywords", "/keywords", {"a": 1, "kwargs": {"b": 2}}),
    Case("keywords flat", "/keywords", {"a": 1, "b": 2}),
    Case("spec params", "/spec_params", {"prompt": "a", "temperature": 0.5}),
    Case("spec params default", "/spec_params", {"prompt": "a"}),
    Case("spec params missing", "/spec_params", {}),
    Case("spec named", "/spec_named", {"prompt": "a", "temperature": 2}),
    Case("spec named wrong", "/spec_named", {"prompt": 1}),
    Case("moved", "/elsewhere/deep", {"x": 4}),
    Case("moved not at its name", "/moved", {"x": 4}),
    Case("in quotes", "/in_quotes", {"x": [1, 2], "m": {"a": 3}}),
]

ROOTS = [
    typed("root text", "/root_text", b"hello", "text/plain"),
    typed("root text quoted", "/root_text", b'"hello"', "application/json"),
    Case("root text empty", "/root_text"),
    typed("root text bad utf-8", "/root_text", b"\xff\xfe", "text/plain"),
    typed("root whole", "/root_whole", b"5", "application/json"),
    typed("root whole quoted", "/root_whole", b'"5"', "application/json"),
    Case("root whole empty", "/root_whole"),
    typed("root whole malformed", "/root_whole", b"abc", "application/json"),
    typed("root whole wrong", "/root_whole", b"[]", "application/json"),
    typed("root octets", "/root_octets", b"\x00\xff\x01", "application/octet-stream"),
    typed("root words", "/root_words", b'["a", "b"]', "application/json"),
    typed("root words wrong", "/root_words", b'{"x": ["a"]}', "application/json"),
    typed("root words malformed", "/root_words", b"[", "application/json"),
    typed("root model", "/root_model", b'{"a": 1}', "application/json"),
    typed("root model wrong", "/root_model", b'{"a": "x"}', "application/json"),
    typed("root model malformed", "/root_model", b"{", "application/json"),
    typed("root array", "/root_array", b"[[1, 2], [3, 4]]", "application/json"),
    typed("root image", "/root_image", PNG, "image/png"),
    typed("root image mislabelled", "/root_image", PNG, "image/jpeg"),
    typed("root image undecodable", "/root_image", b"no image", "image/png"),
    typed("root path", "/root_path", b"12345", "application/octet-stream"),
    typed("root path text", "/root_path", b"12345", "text/plain"),
    form(
        "root path multipart", "/root_path", part("x", b"123", file="a.bin", kind="application/x")
    ),
    typed("root path private url", "/root_path", b"http://127.0.0.1:9/x", "text/plain"),
    form(
        "root upload",
        "/root_upload",
        part("file", b"hi", file="a.txt", kind="text/plain"),
        part("title", '"t"'),
    ),
]

ARRAYS = [
    Case("array", "/array", {"a": [[1, 2], [3, 4]]}),
    Case("array floats", "/array", {"a": [1.5, 2]}),
    Case("array scalar", "/array", {"a": 3}),
    Case("array empty", "/array", {"a": []}),
    Case("array ragged", "/array", {"a": [[1], [1, 2]]}),
    typed("array nan", "/array", b'{"a": [NaN, 1.0]}', "application/json"),
    Case("array bools", "/array_type", {"a": [True, False]}),
    Case("array strings", "/array_type", {"a": ["a", "b"]}),
    Case("array ints", "/array_type", {"a": [[1], [2]]}),
    Case("array null", "/array_type", {"a": None}),
    Case("array shaped", "/array_shaped", {"a": [[1, 2, 3], [4, 5, 6]]}),
    Case("array shaped flat", "/array_shaped", {"a": [1, 2, 3, 4, 5, 6]}),
    Case("array shaped wrong", "/array_shaped", {"a": [1, 2, 3]}),
    Case("array shaped word", "/array_shaped", {"a": [["a", "b", "c"], ["d", "e", "f"]]}),
    Case("array small", "/array_small", {"a": [1, -2]}),
    Case("array small overflow", "/array_small", {"a": [300]}),
    Case("array small truncated", "/array_small", {"a": [1.7]}),
    Case("array generic", "/array_generic", {"a": [1.5, 2.5]}),
    Case("array optional", "/array_optional", {}),
    Case("array optional given", "/array_optional", {"a": [1]}),
    Case("arrays", "/arrays", {"x": [[1], [2, 3]]}),
    Case("arrays named", "/arrays_named", {"x": {"k": [1.0, 2.0]}}),
    Case("tensor", "/tensor", {"a": [[1.0, 2.0]]}),
    Case("tensor ints", "/tensor", {"a": [1, 2]}),
    Case("tensor ragged", "/tensor", {"a": [[1], [1, 2]]}),
    Case("tensor shaped", "/tensor_shaped", {"a": [1, 2, 3, 4]}),
    Case("tensor shaped wrong", "/tensor_shaped", {"a": [1, 2, 3]}),
    Case("tensor word", "/tensor_shaped", {"a": ["a", "b", "c", "d"]}),
    Case("described", "/described", {"x": {"data": [1, 2], "shaped": [1, 2, 3, 4]}}),
    Case("described wrong", "/described", {"x": {"data": [1, 2], "shaped": [1, 2, 3]}}),
    Case("frame", "/frame", {"df": [{"a": 1, "b": "q"}, {"a": 2, "b": "r"}]}),
    Case("frame of columns", "/frame", {"df": {"a": [1, 2], "b": [3.5, 4.0]}}),
    Case("frame of rows", "/frame", {"df": [[1, 2], [3, 4]]}),
    Case("frame hole", "/frame", {"df": [{"a": 1.0}, {"b": "x"}]}),
    Case("frame scalar", "/frame", {"df": 3}),
    Case("frame unequal", "/frame", {"df": {"a": [1], "b": [1, 2]}}),
    Case("frame columns", "/frame_columns", {"df": [{"a": 1, "b": 2, "c": 3}]}),
    Case("frame columns rows", "/frame_columns", {"df": [[1, 2], [3, 4]]}),
    Case("frame columns too wide", "/frame_columns", {"df": [[1, 2, 3]]}),
    Case("frame type", "/frame_type", {"df": [{"a": 1, "b": 1.5}]}),
]

FILES = [
    form(
        "image", "/image", part("image", PNG, file="a.png", kind="image/png"), part("note", '"hi"')
    ),
    form(
        "image plain note",
        "/image",
        part("image", PNG, file="a.png", kind="image/png"),
        part("note", "hi"),
    ),
    form("image no type", "/image", part("image", JPEG, file="a.jpg")),
    form("image octets", "/image", part("image", JPEG, file="a", kind="application/octet-stream")),
    form("image mislabelled", "/image", part("image", PNG, file="a.jpg", kind="image/jpeg")),
    form(
        "image unknown subtype", "/image", part("image", PNG, file="a.png", kind="image/x-unknown")
    ),
    form("image undecodable", "/image", part("image", b"nope", file="a.png", kind="image/png")),
    form("image missing", "/image", part("note", "hi")),
    form("image private url", "/image", part("image", "http://127.0.0.1:9/a.png")),
    form("image no url", "/image", part("image", "no url at all")),
    form(
        "image broken form", "/image", part("image", PNG, file="a.png", kind="image/png"), end=False
    ),
    typed("image raw", "/image", PNG, "image/png"),
    Case("image json string", "/image", {"image": "text"}),
    form("image echo", "/image_echo", part("image", PNG, file="a.png", kind="image/png")),
    form("image echo jpeg", "/image_echo", part("image", JPEG, file="a.jpg", kind="image/jpeg")),
    form("image resized", "/image_resized", part("image", JPEG, file="a.jpg", kind="image/jpeg")),
    form("image optional", "/image_optional", part("image", PNG, file="a.png", kind="image/png")),
    Case("image optional no body", "/image_optional"),
    Case("image optional empty", "/image_optional", {}),
    form(
        "images",
        "/images",
        *(part("images", picture(size=(n, 1)), file=f"{n}.png", kind="image/png") for n in (1, 2)),
    ),
    form("images one", "/images", part("images", PNG, file="a.png", kind="image/png")),
    form(
        "file",
        "/file",
        part("p", b"hello", file="note.txt", kind="text/plain"),
        part("note", '"42"'),
    ),
    form(
        "file number note",
        "/file",
        part("p", b"hello", file="note.txt", kind="text/plain"),
        part("note", "42"),
    ),
    form("file two", "/file", part("p", b"one", file="1.txt"), part("p", b"second", file="2.bin")),
    form("file up", "/file", part("p", b"x", file="../../etc/passwd.cfg", kind="text/plain")),
    form("file missing", "/file", part("note", "hi")),
    Case("file json string", "/file", {"p": "/etc/passwd"}),
    Case("file json number", "/file", {"p": 3}),
    form("file typed", "/file_typed", part("p", b"words", file="a.md", kind="text/markdown")),
    form("file typed wrong", "/file_typed", part("p", b"x", file="a.mp3", kind="audio/mpeg")),
    form("file typed by name", "/file_typed", part("p", b"x", file="a.txt", kind=_OCTETS)),
    form("file typed by no name", "/file_typed", part("p", b"x", file="a", kind=_OCTETS)),
    form("file typed without", "/file_typed", part("p", b"words", file="a")),
    form("files", "/files", part("files", b"a", file="1"), part("files", b"bc", file="2")),
    form(
        "file and model",
        "/file_and_model",
        part("p", b"abc", file="a"),
        part("m", '{"a": 1}'),
        part("n", "2"),
    ),
    form(
        "file and model in a file",
        "/file_and_model",
        part("p", b"abc", file="a"),
        part("m", '{"a": 1}', file="m.json", kind="application/json"),
    ),
    form(
        "file and model wrong",
        "/file_and_model",
        part("p", b"abc", file="a"),
        part("m", '{"a": "x"}'),
    ),
    form(
        "file large part", "/file", part("p", b"x", file="a"), part("note", '"' + "n" * 2**20 + '"')
    ),
    Case("file out", "/file_out", {"text": "abc"}),
    Case("file out range", "/file_out", {"text": "abcdef"}, headers={"range": "bytes=1-2"}),
    Case("file out text", "/file_out_text", {"text": "abc"}),
    Case("file out image", "/file_out_image", {}),
    Case("file out umlaut", "/file_out_umlaut", {}),
    Case("page", "/page", {"name": "x"}),
    Case("pixels", "/pixels", {}),
]

STREAMS = [
    Case("stream text", "/stream_text", {}),
    Case("stream none", "/stream_text", {"n": 0}),
    Case("stream async", "/stream_async", {}),
    Case("stream octets", "/stream_octets", {}),
    Case("stream whole", "/stream_whole", {}),
    Case("stream dict", "/stream_dict", {}),
    Case("stream array", "/stream_array", {}),
    Case("stream model", "/stream_model", {}),
    Case("stream early", "/stream_early", {}),
    Case("stream late", "/stream_late", {}),
    Case("stream typed", "/stream_typed", {}),
    Case("stream wrong input", "/stream_text", {"n": "x"}),
]

CONTEXT = [
    Case("lifecycle", "/lifecycle", {}),
    Case("asked", "/asked?a=1&a=2", {}, headers={"x-in": "in", "cookie": "flavour=sweet"}),
    Case("answered", "/answered", {"status": 202}),
    Case("answered 400", "/answered", {"status": 400}),
    Case("cookies", "/cookies", {}),
    Case("many headers", "/many_headers", {}),
    Case("context unannotated", "/context_unannotated", {}),
    Case("counted", "/counted", {}),
    Case("background", "/background", {}),
    Case("response", "/response", {"x": 1}),
    Case("response overwritten", "/response_overwritten", {"x": 1}),
    Case("headers then error", "/headers_then_error", {}),
    Case("is current", "/is_current", {}),
]

_WAYS = (
    "invalid bad missing unprocessable teapot conflict unauthorized forbidden unavailable"
    " internal gateway base coded state value key validation exit fine"
    " http numbered empty two dict lines timeout decode group chained remote"
)
ERRORS = [
    *(Case(f"fail {how}", "/fail", {"how": how}) for how in _WAYS.split()),
    Case("fail umlaut", "/fail_async", {"how": 'é "quoted"'}),
    Case("slow", "/slow", {"seconds": 9}),
    Case("slow async", "/slow_async", {"seconds": 9}),
]

DEPENDENCIES = [
    Case("added", "/added", {"x": 1}),
    Case("added async", "/added_async", {"x": 1}),
    Case("scaled", "/scaled", {"a": [[1.0, 2.0]]}),
    Case("shouted", "/shouted", {"text": "abc"}),
    Case("shouted sync", "/shouted_sync", {"text": "abc"}),
    Case("measured", "/measured", {"text": "abc"}),
    Case("both", "/both", {"text": "abc"}),
    Case("refused teapot", "/refused", {"how": "teapot"}),
    Case("refused missing", "/refused", {"how": "missing"}),
    Case("refused other", "/refused", {"how": "other"}),
    Case("refused async teapot", "/refused_async", {"how": "teapot"}),
    Case("refused async other", "/refused_async", {"how": "other"}),
    Case("batched", "/batched", {"x": ["a", "b"]}),
    Case("batched one", "/batched", {"x": ["a"]}),
    Case("batched wrong", "/batched", {"x": "a"}),
]

_SHOP = {"origin": "http://shop.example"}
_PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "x-in"}
PAGES = [
    *(
        Case(f"{verb} {path}", path, verb=verb)
        for path in ("/livez", "/healthz", "/readyz")
        for verb in ("GET", "HEAD", "POST", "DELETE")
    ),
    Case("GET unknown", "/unknown", verb="GET"),
    Case("POST unknown", "/unknown"),
    Case("POST root", "/", {}),
    Case("GET a method", "/text", verb="GET"),
    Case("HEAD a method", "/text", verb="HEAD"),
    Case("PUT a method", "/text", verb="PUT"),
    Case("OPTIONS a method", "/text", verb="OPTIONS"),
    Case("slash after a method", "/text/", {"prompt": "a"}),
    Case("slash after a method and query", "/text/?a=1", {"prompt": "a"}),
    Case("GET slash after a method", "/text/", verb="GET"),
    Case("slash after livez", "/livez/", verb="GET"),
    Case("two slashes", "//text", {"prompt": "a"}),
    Case("below a method", "/text/more", {"prompt": "a"}),
    Case("POST schema", "/schema.json", verb="POST"),
    Case("POST metrics", "/metrics", verb="POST"),
    Case("HEAD schema", "/schema.json", verb="HEAD"),
    Case("origin", "/text", {"prompt": "a"}, headers=_SHOP),
    Case("origin with cookie", "/text", {"prompt": "a"}, headers={**_SHOP, "cookie": "a=b"}),
    Case("origin of others", "/text", {"prompt": "a"}, headers={"origin": "http://other.example"}),
    Case("origin and wrong input", "/text", {}, headers=_SHOP),
    Case("origin and error", "/fail", {"how": "teapot"}, headers=_SHOP),
    Case("origin and 404", "/unknown", verb="GET", headers=_SHOP),
    Case("origin and livez", "/livez", verb="GET", headers=_SHOP),
    Case("origin and 504", "/slow_async", {"seconds": 9}, headers=_SHOP),
    Case("preflight", "/text", verb="OPTIONS", headers={**_SHOP, **_PREFLIGHT}),
    Case("preflight unknown path", "/unknown", verb="OPTIONS", headers={**_SHOP, **_PREFLIGHT}),
    Case(
        "preflight of others",
        "/text",
        verb="OPTIONS",
        headers={"origin": "http://other.example", **_PREFLIGHT},
    ),
    Case(
        "preflight other verb",
        "/text",
        verb="OPTIONS",
        headers={**_SHOP, **_PREFLIGHT, "access-control-request-method": "DELETE"},
    ),
    Case(
        "preflight without headers",
        "/text",
        verb="OPTIONS",
        headers={**_SHOP, "access-control-request-method": "POST"},
    ),
]

PREFIXED = [
    Case("prefixed not ready", "/v1/readyz", verb="GET", service="prefixed"),
    Case("prefixed set ready", "/v1/set_ready", {"ready": True}, service="prefixed"),
    Case("prefixed ready", "/v1/readyz", verb="GET", service="prefixed"),
    Case("prefixed ready at the root", "/readyz", verb="GET", service="prefixed"),
    Case("prefixed alive", "/v1/livez", verb="GET", service="prefixed"),
    Case("prefixed alive at the root", "/livez", verb="GET", service="prefixed"),
    Case("prefixed set dead", "/v1/set_alive", {"alive": False}, service="prefixed"),
    Case("prefixed dead", "/v1/livez", verb="GET", service="prefixed"),
    Case("prefixed dead health", "/v1/healthz", verb="GET", service="prefixed"),
    Case("prefixed dead HEAD", "/v1/livez", verb="HEAD", service="prefixed"),
    Case("prefixed set alive", "/v1/set_alive", {"alive": True}, service="prefixed"),
    Case("prefixed method at the root", "/env", {}, service="prefixed"),
    Case("prefixed environment", "/v1/env", {}, service="prefixed"),
    Case("prefixed slash", "/v1/env/", {}, service="prefixed"),
    Case(
        "prefixed preflight",
        "/v1/env",
        verb="OPTIONS",
        headers={**_SHOP, **_PREFLIGHT},
        service="prefixed",
    ),
    Case("prefixed origin", "/v1/env", {}, headers=_SHOP, service="prefixed"),
    Case(
        "prefixed trace",
        "/v1/env",
        {},
        headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
        service="prefixed",
    ),
]

_URLENCODED = "application/x-www-form-urlencoded"
_JSON = "application/json"
ODD_BODIES = [
    typed("odd upper case type", "/text", b'{"prompt": "a"}', "APPLICATION/JSON"),
    typed("odd empty type", "/text", b'{"prompt": "a"}', ""),
    typed("odd no real type", "/text", b'{"prompt": "a"}', "json"),
    typed("odd latin-1", "/text", '{"prompt": "é"}'.encode("latin-1"), f"{_JSON};charset=latin-1"),
    typed("odd type of text", "/text", b'{"prompt": "a"}', "text/plain"),
    typed("odd byte order mark", "/text", b'\xef\xbb\xbf{"prompt": "a"}', _JSON),
    typed("odd white space", "/text", b' \n{"prompt" : "a" }\r\n\t', _JSON),
    typed("odd trailing garbage", "/text", b'{"prompt": "a"} x', _JSON),
    typed("odd trailing comma", "/text", b'{"prompt": "a",}', _JSON),
    typed("odd comment", "/text", b'{"prompt": "a" /* b */}', _JSON),
    typed("odd key twice", "/text", b'{"prompt": "a", "prompt": "b"}', _JSON),
    typed("odd lone surrogate", "/text", b'{"prompt": "\\ud800"}', _JSON),
    typed("odd surrogate pair", "/text", b'{"prompt": "\\ud83d\\ude00"}', _JSON),
    typed("odd NUL", "/text", b'{"prompt": "a\\u0000b"}', _JSON),
    typed("odd raw control", "/text", b'{"prompt": "a\x01b"}', _JSON),
    typed("odd single quotes", "/text", b"{'prompt': 'a'}", _JSON),
    typed("odd empty braces", "/text", b"{ }", _JSON),
    typed("odd only space", "/text", b"  ", _JSON),
    typed("odd number body", "/text", b"1", _JSON),
    typed("odd true body", "/text", b"true", _JSON),
    typed("odd deep", "/anything", b'{"x": ' + b"[" * 150 + b"]" * 150 + b"}", _JSON),
    typed("odd too deep", "/anything", b'{"x": ' + b"[" * 5000 + b"]" * 5000 + b"}", _JSON),
    typed("odd many digits", "/whole", b'{"x": ' + b"9" * 5000 + b"}", _JSON),
    typed("odd long whole", "/anything", b'{"x": ' + b"9" * 400 + b"}", _JSON),
    Case("odd emoji", "/text", {"prompt": "\N{GRINNING FACE} \u202e"}),
    Case("odd field names", "/anything_named", {"x": {"": 1, "a b": 2, "é": 3}}),
    Case("odd large text", "/text", {"prompt": "é" * 2**21}),
    Case("odd large list", "/numbers", {"x": list(range(100_000))}),
    Case("odd large array", "/array", {"a": [[i + j / 7 for j in range(100)] for i in range(100)]}),
    typed("odd form empty", "/text", b"", _URLENCODED),
    typed("odd form blank", "/text", b"prompt=", _URLENCODED),
    typed("odd form bare", "/text", b"prompt", _URLENCODED),
    typed("odd form charset", "/text", b"prompt=a", f"{_URLENCODED}; charset=utf-8"),
    typed("odd form upper case", "/text", b"prompt=a", _URLENCODED.upper()),
    typed("odd form null", "/optional", b"n=null&word=x", _URLENCODED),
    typed("odd form not utf-8", "/text", b"prompt=%ff", _URLENCODED),
    typed("odd form half an escape", "/text", b"prompt=a%2", _URLENCODED),
    typed("odd form extra", "/text", b"prompt=a&more=1", _URLENCODED),
    typed("odd form other", "/text", b"more=1", _URLENCODED),
    typed("odd form object", "/model", b"m=%7B%22a%22%3A1%7D", _URLENCODED),
    typed("odd form for a root", "/root_model", b"a=1", _URLENCODED),
    typed("odd form that is json", "/text", b'{"prompt": "a"}', _URLENCODED),
    typed("odd form json text", "/text", b"prompt=true", _URLENCODED),
    form("odd multipart empty", "/text"),
    form("odd multipart empty optional", "/optional"),
    typed("odd multipart no body", "/text", b"", "multipart/form-data; boundary=x"),
    typed("odd multipart no boundary", "/text", b"x", "multipart/form-data"),
    form("odd multipart json", "/text", part("prompt", '"hi"')),
    form("odd multipart number", "/text", part("prompt", "1")),
    form("odd multipart typed", "/model", part("m", '{"a": 1}', kind=_JSON)),
    form("odd multipart text as file", "/text", part("prompt", "hi", file="a.txt")),
    form("odd multipart twice", "/text", part("prompt", "a"), part("prompt", "b")),
    form("odd multipart list", "/numbers", part("x", "[1, 2]")),
    form("odd multipart bad utf-8", "/text", part("prompt", b"\xff")),
    form("odd multipart umlaut", "/text", part("prompt", "é \N{GRINNING FACE}")),
    form("odd multipart extra", "/text", part("prompt", "a"), part("more", "b")),
    form("odd multipart extra file", "/text", part("prompt", "a"), part("more", b"b", file="b")),
    form("odd multipart empty name", "/file", part("p", b"abc", file="")),
    form("odd multipart empty file", "/file", part("p", b"", file="a.txt")),
    form("odd multipart umlaut name", "/file", part("p", b"a", file="o é.txt")),
    form("odd multipart for a root model", "/root_model", part("a", "1")),
    form("odd multipart array", "/array", part("a", "[[1, 2]]")),
]

ODD_VALUES = [
    *(
        Case(f"value {path} {json.dumps(value)}", f"/{path}", {"x": value})
        for path, values in {
            "whole": ["1.0", " 1 ", "1_000", "0x1", "", None, False, [1], -0.0, 1e20, "1e3"],
            "real": ["nan", "1e5", "", "x", None, True, [1.5], 10**400],
            "flag": ["off", "T", "maybe", 1, 1.0, 0, None, "", [True]],
            "octets": [1, None, "", "\u0000"],
            "color": ["RED", None, 1],
            "literal": ["3", 3.0, None, True],
            "moment": [0, 1767323045, "2026-01-02", "2026-01-02 03:04", "x", None, 1e30],
            "day": ["2026-01-02T00:00:00", "2026-01-02T01:00:00", 0, "x"],
            "span": [90, 1.5, "1 day", "00:01:30", "x"],
            "identifier": ["12345678123456781234567812345678", 1, ""],
            "amount": ["NaN", "x", 1.1, "1e5", ""],
            "numbers": ["12", {"0": 1}, None, [[1]], [None], [1.5], [True]],
            "table": [[], {"a": 1.5}, {"a": None}, {"a": 1, "b": "x"}, "x"],
            "members": [[1, "x"], {}, [[]]],
            "couple": [[1, "a", 2], {"0": 1}, "ab"],
            "pair": [{"left": 1, "right": "b"}, [1], ["x", 2]],
            "typed_dict": [{"depth": 1, "more": 2}, [], {"depth": "x"}],
            "models": [[], [{"a": 1, "c": 2}], [1], [{"b": 1}, {"a": "y", "b": 2}]],
            "union": [1.5, None, True, {"a": 1}],
            "chosen": [{"a": [1]}, {"c": [1]}, {"a": [3, 1, 4]}],
            "guarded": [
                *({"size": 2}, {"size": 3}, {"size": 102}, {"size": 10}, {"size": "x"}),
                *({"size": 2, "label": "B"}, {"size": 3, "label": "B"}, {"size": 2, "name": "a"}),
            ],
            "secret": ["s", 1],
        }.items()
        for value in values
    ),
    Case("value point missing", "/point", {"p": {}}),
    Case("value point extra", "/point", {"p": {"x": 1, "z": 2}}),
    Case("value point wrong", "/point", {"p": [1, 2]}),
    Case("value secret link", "/secret", {"x": "s", "link": "http://a.example"}),
    Case("value secret no link", "/secret", {"x": "s", "link": "no link"}),
    Case("value optional model", "/optional_model", {"m": None, "ms": [None, {"a": 1}]}),
    Case("value optional model wrong", "/optional_model", {"m": {"a": "x"}, "ms": [{}]}),
    Case("value either", "/either_model", {"m": {"prompt": "a"}}),
    Case("value either none", "/either_model", {"m": {}}),
    Case("value model of text", "/model", {"m": '{"a": 1}'}),
    Case("value array of text", "/array", {"a": "x"}),
    Case("value array of objects", "/array_type", {"a": [{"a": 1}]}),
    Case("value array big whole", "/array_type", {"a": [2**63]}),
    Case("value array nested empty", "/array_type", {"a": [[], []]}),
    Case("value tensor scalar", "/tensor", {"a": 1.5}),
    Case("value tensor null", "/tensor", {"a": None}),
    Case("value frame empty", "/frame", {"df": []}),
    Case("value frame mixed", "/frame", {"df": [{"a": True, "b": None}, {"a": "x", "b": 2}]}),
    Case("value frame nested", "/frame", {"df": [{"a": [1, 2], "b": {"c": 1}}]}),
    Case("value frame missing columns", "/frame_columns", {"df": [{"a": 1}]}),
]

REPLIES = [
    Case("reply typed", "/typed_reply", {"kind": "text/csv"}),
    Case("reply typed charset", "/typed_reply", {"kind": "text/html; charset=latin-1"}),
    Case("reply typed array", "/typed_array", {}),
    *(Case(f"reply quiet {status}", "/quiet", {"status": status}) for status in (200, 201, 418)),
    Case("reply quiet 500", "/quiet", {"status": 500}),
    Case("reply stream created", "/stream_created", {}),
    Case("reply redirected", "/redirected", {}),
    Case("reply response stream", "/response_stream", {}),
    Case("reply response file", "/response_file", {}),
    Case("reply response cookies", "/response_cookies", {}),
    Case("reply response empty", "/response_empty", {}),
    Case("reply no text", "/no_text", {}),
    Case("reply missing text", "/missing_text", {}),
    Case("reply missing file", "/missing_file", {}),
    *(
        Case(f"reply {name} {field}", f"/{name}", body, headers={field: value})
        for name, body in (("file_out", {"text": "abcdef"}), ("text", {"prompt": "abcdef"}))
        for field, value in {
            "range": "bytes=0-0,2-3",
            "if-range": '"x"',
            "if-none-match": "*",
            "if-modified-since": "Thu, 01 Jan 2099 00:00:00 GMT",
            "accept": "application/json",
            "accept-encoding": "gzip, br",
            "expect": "100-continue",
        }.items()
    ),
    Case(
        "reply range and if-range",
        "/file_out",
        {"text": "abcdef"},
        headers={"range": "bytes=1-2", "if-range": '"x"'},
    ),
    *(
        Case(f"reply {name} as {accept}", f"/{name}", {}, headers={"accept": accept})
        for name in ("stream_async", "stream_model", "stream_text")
        for accept in ("text/event-stream", "application/json", "text/plain", "text/plain, */*")
    ),
    Case("reply model as html", "/model", {"m": {"a": 1}}, headers={"accept": "text/html"}),
    Case("reply array as text", "/array", {"a": [1]}, headers={"accept": "text/plain"}),
    form(
        "reply image as another",
        "/image_echo",
        part("image", PNG, file="a.png", kind="image/png"),
    ),
]

MORE_PAGES = [
    *(
        Case(f"{verb} {path}", path, verb=verb)
        for path in ("/unknown", "/text/", "/schema.json", "/metrics", "/docs.json", "/")
        for verb in ("HEAD", "DELETE", "PATCH", "OPTIONS")
        if (verb, path) != ("HEAD", "/schema.json")
    ),
    Case("GET schema with a slash", "/schema.json/", verb="GET"),
    Case("GET metrics with a slash and query", "/metrics/?a=1&b=%20", verb="GET"),
    Case("POST a page with a body", "/livez", {"x": 1}),
    Case("DELETE a method", "/text", verb="DELETE"),
    Case("PATCH a method", "/text", {"prompt": "a"}, verb="PATCH"),
    Case("escaped path", "/te%78t", {"prompt": "a"}),
    Case("escaped slash", "/elsewhere%2Fdeep", {"x": 1}),
    Case("upper case path", "/TEXT", {"prompt": "a"}),
    Case("empty query", "/text?", {"prompt": "a"}),
    Case("semicolon", "/text;a=1", {"prompt": "a"}),
    Case("slash after a deep route", "/elsewhere/deep/?x=%C3%A9&y", {"x": 1}),
    Case("above a deep route", "/elsewhere", {"x": 1}),
    Case("two slashes at the end", "/text//", {"prompt": "a"}),
    Case("path of a hook", "/b_started", {}),
    Case("path of a probe", "/__is_ready__", {}),
    Case("path of the metrics hook", "/__metrics__", {}, service="prefixed"),
    Case("path of a task", "/text/submit", {"prompt": "a"}),
    Case("prefix with a method", "/v1/", {}, service="prefixed"),
    Case("page with a method", "/v1/docs.json", {}, service="prefixed"),
    Case("page with a method HEAD", "/v1/livez", verb="HEAD", service="prefixed"),
    Case("prefix alone", "/v1", verb="GET", service="prefixed"),
    Case("prefixed unknown", "/v1/nothing", {}, service="prefixed"),
    Case("prefixed metrics at the root", "/metrics", verb="HEAD", service="prefixed"),
    Case("prefixed schema", "/v1/schema.json", verb="HEAD", service="prefixed"),
    Case("origin and HEAD", "/livez", verb="HEAD", headers=_SHOP),
    Case("origin null", "/text", {"prompt": "a"}, headers={"origin": "null"}),
    Case("origin and redirect", "/text/", {"prompt": "a"}, headers=_SHOP),
    Case("origin and 405", "/text", verb="GET", headers=_SHOP),
    Case("origin and stream", "/stream_text", {}, headers=_SHOP),
    Case("origin and file", "/file_out", {"text": "a"}, headers=_SHOP),
]

CASES = [
    *SCALARS, *CONTAINERS, *ROOTS, *ARRAYS, *FILES, *STREAMS, *CONTEXT, *ERRORS, *DEPENDENCIES,
    *PAGES, *PREFIXED, *ODD_BODIES, *ODD_VALUES, *REPLIES, *MORE_PAGES,
]  # fmt: skip
