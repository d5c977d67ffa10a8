"""Bodies of every media type over HTTP: those that are right, and those that mean harm."""

import json
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import mesh
from tests.gateway.asgi_client import Reply
from tests.gateway.rig import World, world
from tests.io.bodies.rig import BOUNDARY, FORM, URLENCODED, form, part
from tests.link.rig import run, until
from tests.replica.rig import Running, snapshot, version

MAX_BYTES = 8 * 2**20


@mesh.service(traffic={"timeout": 20, "max_request_bytes": MAX_BYTES}, threads=2)
class Files:
    """Methods that take files and texts."""

    @mesh.api
    def size(self, file: Path, note: str = "") -> list[Any]:
        return [file.stat().st_size, note]

    @mesh.api
    def sizes(self, files: list[Path]) -> list[int]:
        return [file.stat().st_size for file in files]

    @mesh.api
    def root(self, file: Path, /) -> int:
        return file.stat().st_size

    @mesh.api
    async def echo(self, text: str, /) -> str:
        return text

    @mesh.api
    async def anything(self, value: Any, n: int = 0) -> int:
        return n


def in_files(
    test: Callable[[World], Coroutine[Any, Any, None]],
) -> Callable[[Path, pytest.MonkeyPatch], None]:
    """Runs an async test in front of Files, of whose files none may be left."""

    def wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

        async def main() -> None:
            table = snapshot(version(Files, {"Files": ("one",)}))
            async with world(Running(Files(), "one"), table=table) as made:
                await test(made)
                await still_takes_files(made)
                await made.settled()
                await until(lambda: not list(tmp_path.iterdir()))

        run(main())

    wrapped.__name__ = test.__name__
    return wrapped


async def still_takes_files(made: World) -> None:
    reply = await made.post("/size", raw=form(part("file", b"hi", "f")), headers=typed(FORM))
    assert (reply.status, json.loads(reply.body)) == (200, [2, ""])


def typed(media_type: str) -> list[tuple[str, str]]:
    return [("content-type", media_type)]


async def told(
    made: World, path: str, body: bytes | list[bytes], media_type: str
) -> tuple[int, list[str]]:
    """Status, and the types of the faults, of a reply that is an orderly error."""
    reply = await made.post(path, raw=body, headers=typed(media_type))
    return read(reply)


def read(reply: Reply) -> tuple[int, list[str]]:
    assert reply.is_whole
    assert reply.error is None
    assert not reply.has_text("Traceback")
    assert reply.header("content-type") == "application/json"
    document = json.loads(reply.body)
    assert document["error"]
    return reply.status, [fault["type"] for fault in document.get("detail", [])]


@in_files
async def test_an_upload_in_many_parts_of_the_transport_arrives(made: World) -> None:
    head, tail = part("file", b"@@", "f").split(b"@@")
    body = [head, *[b"x" * 50_000] * 50, tail, part("note", b"12"), form()]
    reply = await made.post("/size", raw=body, headers=typed(FORM))
    assert (reply.status, json.loads(reply.body)) == (200, [2_500_000, "12"])


@in_files
async def test_a_raw_upload_arrives_whatever_it_is_called(made: World) -> None:
    for media_type in ("image/png", URLENCODED, "application/octet-stream"):
        reply = await made.post("/root", raw=[b"\xff" * 70_000] * 10, headers=typed(media_type))
        assert (reply.status, reply.body) == (200, b"700000")


@in_files
async def test_a_root_text_is_the_body_as_it_is(made: World) -> None:
    for text in (b"", b"hello", b'"quoted"', "né".encode()):
        reply = await made.post("/echo", raw=text)
        assert (reply.status, reply.body) == (200, text)


@in_files
async def test_broken_forms_are_400(made: World) -> None:
    whole = form(part("file", b"x" * 300, "f"))
    no_name = form(part(None, b"x"))
    bodies = [
        (whole, "multipart/form-data"),
        (whole, "multipart/form-data; boundary=" + "x" * 5000),
        (whole, "multipart/form-data; boundary=other"),
        (whole[:200], FORM),
        (whole[:-4], FORM),
        (no_name, FORM),
        (b"", FORM),
        (b"\0" * 100_000, FORM),
        ([f"--{BOUNDARY}\r\nX: ".encode(), *[b"y" * 10_000] * 100], FORM),
    ]
    for body, media_type in bodies:
        assert await told(made, "/size", body, media_type) == (400, ["multipart_invalid"])


@in_files
async def test_too_many_or_too_large_parts_are_413(made: World) -> None:
    many = part("files", b"x", "f") * 10_000 + form()
    assert (await told(made, "/sizes", many, FORM))[0] == 413
    many = part("note", b"x") * 10_000 + form()
    assert (await told(made, "/size", [many[:100], many[100:]], FORM))[0] == 413
    large = form(part("note", b"x" * 2**21))
    assert await told(made, "/size", [large[:100], large[100:]], FORM) == (413, ["too_large"])
    assert (await told(made, "/size", b"note=x&" * 10_000, URLENCODED))[0] == 413


@in_files
async def test_a_body_over_the_limit_is_413_declared_or_not(made: World) -> None:
    headers = [*typed(FORM), ("content-length", str(2**30))]
    assert read(await made.post("/size", raw=b"-", headers=headers))[0] == 413
    head, _ = part("file", b"@@", "f").split(b"@@")
    body = [head, *[b"x" * 100_000] * 100]
    assert (await told(made, "/size", body, FORM))[0] == 413


@in_files
async def test_json_that_means_harm_is_400(made: World) -> None:
    for body in (
        b'{"value": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"value": ' + b'{"a":' * 100_000,
        b'{"value": 1, "n": ' + b"9" * 100_000 + b"}",
        b'{"value": "\xff"}',
        b"[" * 300_000,
    ):
        status, kinds = await told(made, "/anything", body, "application/json")
        assert (status, len(kinds)) == (400, 1)
    reply = await made.post("/anything", raw=b'{"value": [NaN, 1e999], "n": 5}')
    assert (reply.status, reply.body) == (200, b"5")


@in_files
async def test_names_that_lead_elsewhere_lead_nowhere(made: World) -> None:
    for name in ("../../../x", "/etc/x", "a\0b", "..\\..\\x", "x" * 2000):
        body = form(part("file", b"abc", name))
        reply = await made.post("/size", raw=body, headers=typed(FORM))
        assert (reply.status, json.loads(reply.body)) == (200, [3, ""])


@in_files
async def test_pickles_and_compressed_bodies_are_415(made: World) -> None:
    assert await told(made, "/size", b"x", "application/vnd.bentoml+pickle") == (415, [])
    headers = [("content-encoding", "gzip")]
    assert read(await made.post("/anything", raw=b"\x1f\x8b", headers=headers)) == (415, [])
    reply = await made.post("/anything", {"value": 1}, headers=[("content-encoding", "identity")])
    assert reply.status == 200


@in_files
async def test_a_text_for_a_file_reads_no_file_of_the_machine(made: World) -> None:
    for given in (b"/etc/passwd", b"file:///etc/passwd", b"http://127.0.0.1:1/x", b"http://[::1]/"):
        assert (await told(made, "/size", b"file=" + given, URLENCODED))[0] == 400
        assert (await told(made, "/size", form(part("file", given)), FORM))[0] == 400
    assert (await told(made, "/root", b"http://169.254.169.254/latest", "text/plain"))[0] == 400
