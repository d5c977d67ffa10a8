"""What HTTP clients get for results that are more than a small message."""

import io
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.responses import Response

import mesh
from mesh import Context
from mesh.link.frames import CHUNK
from tests.gateway.asgi_client import Exchange
from tests.gateway.rig import World, world
from tests.link.rig import run, until
from tests.replica.rig import Running, snapshot, version


@mesh.service(traffic={"timeout": 20})
class Shop:
    """Files, images, arrays, cookies."""

    def __init__(self) -> None:
        self.folders: list[Path] = []

    @mesh.api
    def file(self, ctx: Context, size: int = 3) -> Path:
        path = Path(ctx.temp_dir) / "output.mp3"
        path.write_bytes(bytes(size))
        self.folders.append(path.parent)
        return path

    @mesh.api
    def pictures(self) -> dict[str, Image.Image]:
        return {"a": Image.new("L", (1, 1)), "b": Image.new("L", (2, 2))}

    @mesh.api
    def picture(self) -> Image.Image:
        return Image.new("L", (1, 1))

    @mesh.api
    def eye(self, n: int = 2) -> np.ndarray:
        return np.eye(n)

    @mesh.api
    async def words(self, fail: bool = False) -> AsyncIterator[str]:
        yield "a\nb"
        if fail:
            raise mesh.Unavailable("no more")
        yield "c"

    @mesh.api
    async def bare(self) -> Response:
        return Response(status_code=204)

    @mesh.api
    async def forged(self) -> Response:
        return Response("x", media_type="text/a\r\nx-b: 2", headers={"x-a": "1\r\nset-cookie: a=b"})

    @mesh.api
    async def cookies(self, ctx: Context) -> dict[str, str]:
        ctx.response.set_cookie("a", "1")
        ctx.response.set_cookie("b", "2")
        return dict(ctx.request.cookies)


def in_shop(test: Callable[[World], Coroutine[None, None, None]]) -> Callable[[], None]:
    """Runs an async test with a gateway before one replica of Shop."""

    def wrapped() -> None:
        async def main() -> None:
            table = snapshot(version(Shop, {"Shop": ("one",)}))
            async with world(Running(Shop(), "one"), table=table) as made:
                await test(made)

        run(main())

    wrapped.__name__ = test.__name__
    return wrapped


@in_shop
async def test_a_file_has_a_length_whatever_its_size(made: World) -> None:
    for size in (0, 3, CHUNK, CHUNK + 1, 9 * CHUNK):
        reply = await made.post("/file", {"size": size})
        assert reply.header("content-length") == str(size)
        assert [name for name, _ in reply.headers].count("content-length") == 1
        assert len(reply.body) == size
        assert reply.header("content-type") == "audio/mpeg"
        assert reply.header("content-disposition") == 'attachment; filename="output.mp3"'
        assert reply.header("accept-ranges") == "bytes"
        assert reply.is_whole


@in_shop
async def test_a_range_is_for_get_and_so_is_not_looked_at(made: World) -> None:
    reply = await made.post("/file", {}, headers=[("range", "bytes=1-")])
    assert (reply.status, reply.body) == (200, bytes(3))


@in_shop
async def test_a_client_who_leaves_a_download_ends_it(made: World) -> None:
    exchange = Exchange(made.gateway, "POST", "/file")
    await exchange.feed(json.dumps({"size": 400 * CHUNK}).encode())
    await exchange.begun(1)
    await exchange.leave()
    await made.settled()
    (folder,) = made.links.replicas["one"].instance.folders
    await until(lambda: not folder.exists())


@in_shop
async def test_an_image_is_a_body_and_several_are_parts_or_data_urls(made: World) -> None:
    reply = await made.post("/picture")
    assert (reply.header("content-type"), reply.header("content-disposition")) == ("image/png", "")
    assert Image.open(io.BytesIO(reply.body)).size == (1, 1)
    found = json.loads((await made.post("/pictures")).body)
    assert all(each.startswith("data:image/png;base64,") for each in found.values())
    reply = await made.post("/pictures", headers=[("accept", "multipart/mixed")])
    assert reply.header("content-type").startswith("multipart/mixed; boundary=")
    assert reply.header("content-length") == str(len(reply.body))


@in_shop
async def test_an_array_goes_out_as_numpys_own_format(made: World) -> None:
    reply = await made.post("/eye", {"n": 500}, headers=[("accept", "application/x-npy")])
    assert reply.header("content-type") == "application/x-npy"
    assert reply.header("content-length") == str(len(reply.body))
    array = np.load(io.BytesIO(reply.body), allow_pickle=False)
    np.testing.assert_array_equal(array, np.eye(500))


@pytest.mark.parametrize(
    ("accept", "media_type", "parts"),
    [
        ("*/*", "text/event-stream; charset=utf-8", [b"a\nb", b"c"]),
        (
            "text/event-stream",
            "text/event-stream; charset=utf-8",
            [b"data: a\ndata: b\n\n", b"data: c\n\n"],
        ),
        ("application/x-ndjson", "application/x-ndjson", [b'"a\\nb"\n', b'"c"\n']),
    ],
)
def test_items_are_chunks_in_the_frame_that_is_asked_for(accept, media_type, parts):
    @in_shop
    async def test(made: World) -> None:
        reply = await made.post("/words", headers=[("accept", accept)])
        assert (reply.header("content-type"), reply.parts) == (media_type, parts)

    test()


@in_shop
async def test_a_stream_of_events_ends_with_the_reason_of_its_failure(made: World) -> None:
    reply = await made.post("/words", {"fail": True}, headers=[("accept", "text/event-stream")])
    assert reply.parts[-1] == b'event: error\ndata: {"error":"no more"}\n\n'
    assert not reply.is_whole
    assert reply.error is not None


@in_shop
async def test_cookies_go_both_ways(made: World) -> None:
    reply = await made.post("/cookies", headers=[("cookie", "x=1; y=2")])
    assert json.loads(reply.body) == {"x": "1", "y": "2"}
    cookies = [value for name, value in reply.headers if name == "set-cookie"]
    assert cookies == ["a=1; Path=/; SameSite=lax", "b=2; Path=/; SameSite=lax"]


@in_shop
async def test_a_response_without_a_media_type_has_none(made: World) -> None:
    reply = await made.post("/bare")
    assert (reply.status, reply.body) == (204, b"")
    assert not {"content-type", "content-length"} & set(dict(reply.headers))


@in_shop
async def test_no_value_of_a_header_field_begins_another(made: World) -> None:
    reply = await made.post("/forged", {})
    assert reply.status == 200
    assert not any(set("\r\n") & set(name + value) for name, value in reply.headers)
    assert reply.header("x-a").split() == ["1", "set-cookie:", "a=b"]
