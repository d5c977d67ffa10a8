"""Bodies as any HTTP client may send and ask for them."""

import base64
import email
import io
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

NPY, ARROW = "application/x-npy", "application/vnd.apache.arrow.stream"
FORM = "application/x-www-form-urlencoded"


def png(size: tuple[int, int] = (3, 2)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, "PNG")
    return out.getvalue()


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(array))
    return out.getvalue()


def arrow(frame: pd.DataFrame) -> bytes:
    table = pa.Table.from_pandas(frame)
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


@pytest.mark.parametrize(
    ("path", "body", "media_type", "expected"),
    [
        ("/whole", "x=5", FORM, "5"),
        ("/text", "x=gr%C3%BC%C3%9Fe+hi", FORM, "grüße hi"),
        ("/numbers", "x=%5B1%2C2%5D", FORM, "[1,2]"),
        ("/model", "x=%7B%22a%22%3A1%7D", FORM, '{"a":1,"b":"x"}'),
        ("/maybe_file", "x=data%3A%2Chello", FORM, "hello"),
        ("/whole", '{"x": 5}', "application/json", "5"),
        ("/whole", '{"x": 5}', "application/xml", "5"),
        ("/whole", '{"x": 5}', "", "5"),
        ("/root_text", "hello", "text/plain", "hello"),
        ("/root_text", '"hello"', "application/json", '"hello"'),
        ("/root_text", "", "text/plain", ""),
        ("/root_whole", "5", "application/json", "5"),
        ("/root_default", "", "application/json", "7"),
        ("/root_model", '{"a": 1}', "application/json", '{"a":1,"b":"x"}'),
        ("/root_file", "content", "application/octet-stream", "content"),
    ],
)
def test_a_body_is_read_by_its_media_type(
    http: httpx.Client, path: str, body: str, media_type: str, expected: str
) -> None:
    headers = {"content-type": media_type} if media_type else {}
    reply = http.post(path, content=body.encode(), headers=headers)
    assert (reply.status_code, reply.text) == (200, expected)


def test_files_and_values_share_a_form(http: httpx.Client) -> None:
    files = {"x": ("t.txt", b"hi", "text/plain"), "note": (None, "42")}
    assert http.post("/file", files=files).text == "hi|.txt|42"


def test_several_files_of_one_name_are_a_list(http: httpx.Client) -> None:
    files = [("x", ("1.txt", b"one")), ("x", ("2.txt", b"two"))]
    assert http.post("/files", files=files).json() == ["one", "two"]


def test_files_reach_nested_models_by_dotted_names(http: httpx.Client) -> None:
    files = [
        ("x.name", (None, "n")),
        ("x.pages.0.title", (None, "t")),
        ("x.pages.0.scan", ("s.txt", b"first")),
        ("x.pages.1.title", (None, "u")),
        ("x.pages.1.scan", ("s.txt", b"second")),
    ]
    assert http.post("/album", files=files).json() == ["first", "second"]


@pytest.mark.parametrize("label", ["image/png", "image/jpeg", "application/octet-stream"])
def test_an_image_is_what_its_content_says(http: httpx.Client, label: str) -> None:
    reply = http.post("/image", files={"x": ("a", png(), label)})
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(reply.content)).size == (3, 2)
    raw = http.post("/root_image", content=png(), headers={"content-type": label})
    assert raw.text == "PNG (3, 2)"


def test_a_data_url_stands_for_a_file_in_json(http: httpx.Client) -> None:
    url = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    assert http.post("/images", json={"x": [url, url]}).json() == [3, 3]
    assert http.post("/file", json={"x": "data:text/plain,hi"}).text.startswith("hi|")


@pytest.mark.parametrize("media_type", ["audio/mp3", "audio/mpeg"])
def test_a_content_type_has_all_its_names(http: httpx.Client, media_type: str) -> None:
    assert http.post("/audio", files={"x": ("a.mp3", b"12", media_type)}).json() == 2


def test_another_content_type_is_refused_by_name(http: httpx.Client) -> None:
    reply = http.post("/audio", files={"x": ("a.png", b"12", "image/png")})
    assert reply.status_code == 400
    (fault,) = reply.json()["detail"]
    assert fault["loc"] == ["x"]
    assert "Invalid content type image/png, expected audio/mp3" in fault["msg"]


@pytest.mark.parametrize(
    ("path", "field", "files"),
    [
        ("/file", "x", {"note": (None, "1")}),
        ("/image", "x", {"x": ("a.png", b"no image", "image/png")}),
        ("/image", "x", {"x": ("a.png", png()[:40], "image/png")}),
        ("/whole", "x", {"x": (None, "abc")}),
    ],
)
def test_a_wrong_part_is_a_fault_of_its_field(
    http: httpx.Client, path: str, field: str, files: dict[str, Any]
) -> None:
    reply = http.post(path, files=files)
    assert reply.status_code == 400, reply.text
    assert [fault["loc"][0] for fault in reply.json()["detail"]] == [field]


@pytest.mark.parametrize("path", ["/array", "/root_array"])
def test_arrays_travel_as_npy(http: httpx.Client, path: str) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    reply = http.post(path, content=npy(array), headers={"content-type": NPY, "accept": NPY})
    assert (reply.status_code, reply.headers["content-type"]) == (200, NPY)
    found = np.load(io.BytesIO(reply.content), allow_pickle=False)
    assert found.dtype == np.float32
    assert np.array_equal(found, array)


@pytest.mark.parametrize("path", ["/frame", "/root_frame"])
def test_frames_travel_as_arrow(http: httpx.Client, path: str) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.to_datetime(["2026-01-01"] * 2)})
    reply = http.post(path, content=arrow(frame), headers={"content-type": ARROW, "accept": ARROW})
    assert (reply.status_code, reply.headers["content-type"]) == (200, ARROW)
    with pa.ipc.open_stream(reply.content) as reader:
        pd.testing.assert_frame_equal(reader.read_pandas(), frame)


@pytest.mark.parametrize(
    ("path", "body", "media_type"),
    [
        ("/array", b"\x93NUMPY\x01\x00", NPY),
        ("/frame", b"\xff\xff\xff\xff\x00\x01", ARROW),
        ("/whole", npy([1]), NPY),
    ],
)
def test_a_broken_table_is_a_400(
    http: httpx.Client, path: str, body: bytes, media_type: str
) -> None:
    reply = http.post(path, content=body, headers={"content-type": media_type})
    assert reply.status_code in (400, 415), reply.text


@pytest.mark.parametrize(
    ("path", "expected", "media_type"),
    [
        ("/text", "a b", "text/plain; charset=utf-8"),
        ("/whole", "5", "application/json"),
        ("/colour", "red", "text/plain; charset=utf-8"),
        ("/anything", '"text"', "application/json"),
        ("/page", "<p>hi</p>", "text/html; charset=utf-8"),
        ("/nothing", "null", "application/json"),
    ],
)
def test_a_reply_has_the_media_type_of_its_annotation(
    http: httpx.Client, path: str, expected: str, media_type: str
) -> None:
    given = {"/text": "a b", "/whole": 5, "/colour": "red", "/anything": "text"}
    body = {"x": given[path]} if path in given else {}
    reply = http.post(path, json=body)
    assert (reply.text, reply.headers["content-type"]) == (expected, media_type)


def test_a_file_comes_with_its_name_and_length(http: httpx.Client) -> None:
    reply = http.post("/speech", json={"text": "abc"})
    assert reply.content == b"abc"
    assert reply.headers["content-type"] == "audio/mpeg"
    assert reply.headers["content-disposition"] == 'attachment; filename="output.mp3"'
    assert reply.headers["content-length"] == "3"
    assert reply.headers["accept-ranges"] == "bytes"
    assert {"etag", "last-modified"} <= reply.headers.keys()


def test_an_annotated_content_type_wins_over_the_name(http: httpx.Client) -> None:
    assert http.post("/custom", json={}).headers["content-type"] == "application/x-custom"


@pytest.mark.parametrize("subtype", ["mixed", "form-data"])
def test_several_files_come_as_parts_when_asked_for(http: httpx.Client, subtype: str) -> None:
    reply = http.post("/several", json={"n": 2}, headers={"accept": f"multipart/{subtype}"})
    assert reply.headers["content-type"].startswith(f"multipart/{subtype}; boundary=")
    head = f"content-type: {reply.headers['content-type']}\r\n\r\n".encode()
    parts: Any = email.message_from_bytes(head + reply.content).get_payload()
    assert parts[0].get_content_type() == "application/json"
    assert [part.get_payload(decode=True) for part in parts[1:]] == [b"file 0", b"file 1"]


def test_a_stream_has_the_framing_that_is_asked_for(http: httpx.Client) -> None:
    lines = http.post("/records", json={"n": 2}, headers={"accept": "application/x-ndjson"})
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line)["a"] for line in lines.text.splitlines()] == [0, 1]
    events = http.post("/letters", json={"word": "ab"}, headers={"accept": "text/event-stream"})
    assert events.headers["content-type"].startswith("text/event-stream")
    assert events.text == "data: a\n\ndata: b\n\n"
    bare = http.post("/letters", json={"word": "ab"})
    assert bare.text == "ab"


class Files(BaseHTTPRequestHandler):
    """Serves one text, and sends elsewhere."""

    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("location", "http://127.0.0.1:1/secret")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.end_headers()
        self.wfile.write(b"fetched")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_url_cannot_lead_into_the_private_network(http: httpx.Client, elsewhere: str) -> None:
    for send in ({"json": {"x": f"{elsewhere}/f.txt"}}, {"data": {"x": f"{elsewhere}/f.txt"}}):
        reply = http.post("/maybe_file", **send)  # type: ignore[arg-type]  # either keyword
        assert reply.status_code == 400
        assert "Connection blocked due to insecure input URL" in reply.text


def test_cookies_headers_and_status_are_the_methods_own(http: httpx.Client) -> None:
    reply = http.post("/status", json={}, headers={"x-in": "me"})
    assert (reply.status_code, reply.json()) == (202, {"agent": "me"})
    assert reply.headers["x-custom"] == "v"
    assert reply.headers["set-cookie"].startswith("k=v; ")


@pytest.mark.parametrize(
    ("path", "body", "kind", "loc"),
    [
        ("/whole", b"{}", "missing", ["x"]),
        ("/whole", b"", "missing", ["x"]),
        ("/whole", b'{"x": 1.5}', "int_from_float", ["x"]),
        ("/whole", b"{x", "json_invalid", []),
        ("/whole", b"[1]", "model_type", []),
        ("/whole", b'{"x": "\xff"}', "json_invalid", []),
        ("/nested", b'{"x": {"sub": {"a": "q"}}}', "int_parsing", ["x", "sub", "a"]),
        ("/root_whole", b"abc", "json_invalid", []),
        ("/matrix", b'{"x": [1, 2]}', "value_error", ["x"]),
        ("/integers", b'{"x": [99999999999999999999]}', "value_error", ["x"]),
        ("/tensor", b'{"x": [[1, 2]]}', "value_error", ["x"]),
        ("/tensor", b'{"x": ["a"]}', "value_error", ["x"]),
        ("/frame", b'{"x": 3}', "value_error", ["x"]),
        ("/maybe_file", b'{"x": "/etc/passwd"}', "path_type", ["x"]),
        ("/colour", b'{"x": "green"}', "enum", ["x"]),
        ("/choice", b'{"x": "z"}', "literal_error", ["x"]),
    ],
)
def test_a_wrong_value_is_told_by_its_place(
    http: httpx.Client, path: str, body: bytes, kind: str, loc: list[str]
) -> None:
    reply = http.post(path, content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 400, reply.text
    document = reply.json()
    assert document["error"].startswith("1 validation error for ")
    (fault,) = document["detail"]
    assert (fault["type"], fault["loc"]) == (kind, loc)


def test_a_pickle_is_never_read(http: httpx.Client) -> None:
    reply = http.post(
        "/whole", content=b"\x80", headers={"content-type": "application/vnd.bentoml+pickle"}
    )
    assert reply.status_code == 415
