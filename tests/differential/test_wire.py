"""What is on the wire beneath requests and answers: versions of HTTP, chunks, clients that go."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from tests.differential.conftest import Side

PATIENCE = 20.0
"""Seconds in which something must have happened on a busy machine."""


def spoken(side: Side, request: bytes) -> bytes:
    """Everything that a server says to these bytes until it closes the connection."""
    address = urlsplit(side.url)
    with socket.create_connection((address.hostname, address.port), PATIENCE) as connection:
        connection.sendall(request)
        said = b""
        while data := connection.recv(2**16):
            said += data
        return said


def posted(path: str, body: bytes, *fields: str, version: str = "1.1") -> bytes:
    head = [f"POST {path} HTTP/{version}", "Host: a", f"Content-Length: {len(body)}", *fields]
    if version == "1.1":
        head.append("Connection: close")
    return "\r\n".join([*head, "", ""]).encode() + body


def chunks(reply: bytes) -> list[bytes]:
    """The chunks of a reply, the last of which is empty."""
    _, _, rest = reply.partition(b"\r\n\r\n")
    found = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        found.append(rest[:length])
        assert rest[length : length + 2] == b"\r\n"
        rest = rest[length + 2 :]
    return found


@pytest.mark.parametrize(
    "name", ["text", "async", "octets", "whole", "dict", "array", "model", "typed", "created"]
)
def test_each_item_of_a_stream_is_one_chunk(name: str, theirs: Side, ours: Side) -> None:
    """BentoML's clients take each chunk for an item."""
    request = posted(f"/stream_{name}", b"{}", "Content-Type: application/json")
    expected, found = (chunks(spoken(side, request)) for side in (theirs, ours))
    assert found == expected
    assert found[-1] == b""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/text", b'{"prompt": "a"}'),
        ("/text", b"{}"),
        ("/stream_text", b"{}"),
        ("/file_out", b'{"text": "abc"}'),
        ("/nowhere", b"{}"),
    ],
)
def test_clients_of_http_1_0_are_served(path: str, body: bytes, theirs: Side, ours: Side) -> None:
    request = posted(path, body, version="1.0")
    said = [spoken(side, request) for side in (theirs, ours)]
    heads, bodies = zip(*(each.split(b"\r\n\r\n", 1) for each in said), strict=True)
    expected, found = (head.split(b" ", 2)[1] for head in heads)
    assert found == expected
    # BentoML's server sends such clients chunks, of which they know nothing.
    assert bodies[1] == (b"s0 s1 s2 " if path == "/stream_text" else bodies[0])
    assert b"transfer-encoding" not in heads[1].lower()


def test_a_request_in_chunks_is_read(theirs: Side, ours: Side) -> None:
    request = (
        b"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b'5\r\n{"pro\r\n8;a=b\r\nmpt": 1}\r\n0\r\n\r\n'
    )
    for side in (theirs, ours):
        assert spoken(side, request).startswith(b"HTTP/1.1 400")
    for side in (theirs, ours):
        said = spoken(side, request.replace(b"1}", b'""}').replace(b"8;", b"9;"))
        assert said.startswith(b"HTTP/1.1 200")


_OURS = frozenset({"x-mesh-version", "x-request-id", "connection"})
"""Names the version; names the request; closes where a body was not read."""
_CALLS = [("/text", {"prompt": "a"}), ("/text", {}), ("/fail", {"how": "teapot"}),
          ("/file_out", {"text": "a"}), ("/stream_text", {}), ("/nowhere", {})]  # fmt: skip


@pytest.mark.parametrize(("path", "body"), _CALLS)
def test_replies_have_no_other_header_fields(
    path: str, body: object, theirs: Side, ours: Side
) -> None:
    expected, found = (set(s.clients["main"].post(path, json=body).headers) for s in (theirs, ours))
    assert found - _OURS - {"date", "server"} == expected - {"date", "server"}


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("name", ["endless", "endless_sync"])
def test_a_stream_ends_when_its_client_goes(name: str, ours: Side) -> None:
    client = ours.clients["main"]
    with client.stream("POST", f"/{name}", json={}) as reply:
        assert next(reply.iter_raw()) == b"again "
    assert eventually(lambda: f"{name} closed" in client.post("/lifecycle", json={}).json())


def _both(client: httpx.Client, path: str) -> list[int]:
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(client.post, path, json={}) for _ in range(2)]
        return [call.result().status_code for call in calls]


@pytest.mark.parametrize("path", ["/meet", "/meet_sync"])
def test_calls_run_side_by_side(path: str, theirs: Side, ours: Side) -> None:
    for side in (theirs, ours):
        assert _both(side.clients["main"], path) == [200, 200]


def test_the_temporary_folder_of_a_call_is_gone_afterwards(ours: Side) -> None:
    client = ours.clients["main"]
    folder = client.post("/scratch", json={}).text
    assert eventually(lambda: client.post("/is_there", json={"path": folder}).text == "false")


def test_background_work_is_done_after_the_reply(theirs: Side, ours: Side) -> None:
    for side in (theirs, ours):
        client = side.clients["main"]
        assert client.post("/background", json={}).text == "later"

        def done(client: httpx.Client = client) -> bool:
            return "in the background" in client.post("/lifecycle", json={}).json()

        assert eventually(done)


def test_streams_between_services_are_passed_on(ours: Side) -> None:
    """BentoML's own servers are not asked: their proxies read items as their sockets come."""
    client = ours.clients["main"]
    assert client.post("/spelled", json={"text": "abc"}).text == "a.b.c."
    assert client.post("/totalled", json={"n": 5}).json() == 10


def test_state_and_hooks_are_those_of_one_worker(theirs: Side, ours: Side) -> None:
    for side in (theirs, ours):
        events = side.clients["main"].post("/lifecycle", json={}).json()
        assert events[:3] == ["init", "a_started", "b_started"]
