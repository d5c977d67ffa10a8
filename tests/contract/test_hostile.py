"""Bodies made to do harm: each gets its status, and the service goes on."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from mesh.testing import LocalMesh

BOUNDARY = "b"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
ROOM = 64 * 2**20
"""Bytes by which the mesh may grow over one of these."""


def part(name: str, content: bytes, filename: str = "", head: str = "") -> bytes:
    file = f'; filename="{filename}"' if filename else ""
    disposition = f'Content-Disposition: form-data; name="{name}"{file}\r\n'
    return f"--{BOUNDARY}\r\n{disposition}{head}\r\n".encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture(autouse=True)
def _goes_on(http: httpx.Client, served: LocalMesh) -> Iterator[None]:
    """After each the mesh answers as before: no process lost, little more memory taken."""
    gateways = [psutil.Process(pid) for pid in served.running.gateway_pids]
    before = sum(each.memory_info().rss for each in gateways)
    yield
    assert http.post("/whole", json={"x": 5}).json() == 5
    assert served.running.gateway_pids == [each.pid for each in gateways]
    assert sum(each.memory_info().rss for each in gateways) - before < ROOM
    left = [path for path in Path("/tmp").glob("mesh-call-*") if _is_ours(path)]
    assert len(left) < 20  # clients of other tests keep theirs until they are closed


def _is_ours(path: Path) -> bool:
    try:
        return path.stat().st_uid == os.getuid()
    except FileNotFoundError:  # its call has ended meanwhile
        return False


def post(http: httpx.Client, path: str, body: bytes, media_type: str = FORM) -> httpx.Response:
    return http.post(path, content=body, headers={"content-type": media_type})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        part("x", b"hi", "f.txt"),
        part("x", b"hi", "f.txt")[:20],
        b"--b\r\nContent-Disposition: form-data\r\n\r\nno name\r\n" + END,
        b"--b\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n" + END,
        b"--b\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(5000)) + b"\r\n" + END,
        b"--b" * 200_000,
        b"\r\n--b\r\n" * 100_000,
        b"--bb--bb--b-" * 100_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_broken_form_is_refused(http: httpx.Client, body: bytes) -> None:
    reply = post(http, "/file", body)
    assert reply.status_code in (400, 413), reply.text
    assert "error" in reply.json()


@pytest.mark.parametrize("media_type", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_without_a_boundary_is_refused(http: httpx.Client, media_type: str) -> None:
    assert post(http, "/file", part("x", b"hi", "f.txt") + END, media_type).status_code == 400


def test_ten_thousand_parts_are_refused(http: httpx.Client) -> None:
    fields = b"".join(part(f"f{number}", b"1") for number in range(10_000))
    files = b"".join(part("x", b"1", "f") for number in range(10_000))
    assert post(http, "/file", fields + END).status_code in (400, 413)
    assert post(http, "/files", files + END).status_code in (400, 413)


def test_a_text_part_that_is_too_long_is_told_by_its_name(http: httpx.Client) -> None:
    body = part("note", b"n" * (2 * 2**20)) + part("x", b"hi", "f.txt") + END
    reply = post(http, "/file", body)
    assert reply.status_code == 413
    assert "note" in reply.text


def test_a_gigabyte_that_is_declared_is_refused_before_it_comes(served: LocalMesh) -> None:
    host, _, port = served.target.partition(":")
    head = (
        f"POST /file HTTP/1.1\r\nhost: {host}\r\ncontent-type: {FORM}\r\n"
        "content-length: 1000000000\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_what_is_not_declared_is_counted(http: httpx.Client) -> None:
    def pieces() -> Iterator[bytes]:
        yield part("x", b"", "f.bin")[:-2]
        for _ in range(60):
            yield bytes(2**20)

    try:
        reply = http.post("/file", content=pieces(), headers={"content-type": FORM})
    except httpx.WriteError:
        return  # the answer came, and the connection ended, while there was more to send
    assert reply.status_code == 413


@pytest.mark.parametrize("path", ["/anything", "/root_list", "/plain_list", "/tree", "/array"])
@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_json_of_great_depth_ends_in_a_status(http: httpx.Client, path: str, depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    body = deep if path == "/root_list" else b'{"x": ' + deep + b"}"
    reply = post(http, path, body, "application/json")
    assert reply.status_code in (200, 400, 500), reply.text[:200]
    assert reply.status_code != 500 or path == "/anything"


@pytest.mark.parametrize(
    ("path", "value", "status"),
    [
        ("/real", "NaN", 200),
        ("/real", "1e999", 200),
        ("/whole", "NaN", 400),
        ("/whole", "1" + "0" * 5000, 400),
        ("/whole", "1e400", 400),
        ("/array", "[NaN, Infinity]", 200),
        ("/integers", "[NaN]", 400),
        ("/integers", "[1" + "0" * 400 + "]", 400),
        ("/half", "[1e39]", 400),
        ("/matrix", "[[1,2,3],[4,5]]", 400),
        ("/frame", '[{"a": 1}, 3]', 400),
    ],
)
def test_numbers_beyond_all_bounds(http: httpx.Client, path: str, value: str, status: int) -> None:
    reply = post(http, path, f'{{"x": {value}}}'.encode(), "application/json")
    assert reply.status_code == status, reply.text[:200]


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..\\..\\windows",
        "a/b/c.txt",
        "a\0b.txt",
        "/etc/passwd",
        "..",
        "x" * 5000,
    ],
)
def test_a_file_name_leads_nowhere(http: httpx.Client, name: str) -> None:
    reply = post(http, "/file", part("x", b"hi", name) + END)
    assert reply.status_code in (200, 400), reply.text
    if reply.status_code == 200:
        assert reply.text.startswith("hi|")


@pytest.mark.parametrize("content", [b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"<svg/>", b""])
def test_an_image_that_is_none_is_refused(http: httpx.Client, content: bytes) -> None:
    reply = post(http, "/image", part("x", content, "a.png", "Content-Type: image/png\r\n") + END)
    assert reply.status_code == 400
    assert reply.json()["detail"][0]["loc"] == ["x"]


def test_an_image_that_unpacks_to_gigabytes_is_refused(http: httpx.Client) -> None:
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        )

    size = (40_000).to_bytes(4, "big")
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + size + b"\x08\x02\0\0\0")
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )
    assert post(http, "/root_image", bomb, "image/png").status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"\x93NUMPY\x01\x00\x76\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        b"\x93NUMPY\x03\x00\xff\xff\xff\x7f",
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000,), }"
        + b" " * 40
        + b"\n",
    ],
    ids=["objects", "endless head", "terabytes"],
)
def test_an_npy_that_lies_is_refused(http: httpx.Client, body: bytes) -> None:
    assert post(http, "/array", body, "application/x-npy").status_code == 400


def test_a_client_that_goes_midway_leaves_no_files(http: httpx.Client, served: LocalMesh) -> None:
    host, _, port = served.target.partition(":")
    head = (
        f"POST /file HTTP/1.1\r\nhost: {host}\r\ncontent-type: {FORM}\r\n"
        "content-length: 2000000\r\n\r\n"
    )
    marker = "left-behind-by-hostile-test.bin"
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode() + part("x", bytes(10**6), marker))
    # The next call of one client after another: by then the first has been cleaned up, or not.
    for _ in range(50):
        http.post("/whole", json={"x": 1})
        if not list(Path("/tmp").glob(f"mesh-call-*/*{marker}")):
            break
    else:
        pytest.fail("the file of a client that went is still there")


def test_deep_json_in_a_form_is_refused(http: httpx.Client) -> None:
    body = part("x", b"[" * 100_000) + END
    reply = post(http, "/plain_list", body)
    assert reply.status_code == 400
    json.loads(reply.text)
