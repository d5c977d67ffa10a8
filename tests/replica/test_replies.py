"""What a replica sends for results that are more than a small message, and what it does after."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import pytest
from PIL import Image
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

import mesh
from mesh import Context
from mesh.call import CALL, ReplyHead
from mesh.errors import MeshError
from mesh.io.replies.body import PIECE
from mesh.link.frames import CHUNK, WINDOW
from tests.link.rig import run, until
from tests.replica.bench import Bench, bench


@mesh.service(traffic={"timeout": 20})
class Shop:
    """Files, responses, work left for later."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.go_on = asyncio.Event()

    @mesh.api
    def file(self, ctx: Context, size: int = 3) -> Path:
        path = Path(ctx.temp_dir) / "output.mp3"
        path.write_bytes(bytes(size))
        self.events.append(path)
        return path

    @mesh.api
    def named(self, ctx: Context) -> Path:
        ctx.response.status_code = 203
        ctx.response.headers["content-disposition"] = "inline"
        ctx.response.headers["content-type"] = "audio/own"
        ctx.response.headers.append("x-a", "1")
        ctx.response.headers.append("x-a", "2")
        path = Path(ctx.temp_dir) / "a.mp3"
        path.write_bytes(b"abc")
        return path

    @mesh.api
    def gone(self) -> Path:
        return Path("/nowhere/at/all")

    @mesh.api
    async def images(self) -> AsyncIterator[Image.Image]:
        for _ in range(2):
            yield Image.new("L", (1, 1))

    @mesh.api
    async def blob(self, size: int) -> bytes:
        return bytes(size)

    @mesh.api
    async def later(self, ctx: Context, fail: bool = False) -> str:
        ctx.response.headers["x-dropped"] = "if it fails"
        ctx.response.background.add_task(self._fails)
        ctx.response.background.add_task(self._in_thread, ctx, word="sync")
        ctx.response.background.add_task(self._waits, Path(ctx.temp_dir))
        if fail:
            raise mesh.InvalidArgument("not today")
        return "at once"

    def _fails(self) -> None:
        raise ValueError("in the background")

    def _in_thread(self, ctx: Context, *, word: str) -> None:
        self.events.append((word, threading.current_thread().name.rpartition("_")[0]))

    async def _waits(self, folder: Path) -> None:
        self.events.append(folder)
        await self.go_on.wait()
        self.events.append(await asyncio.to_thread(folder.is_dir))

    @mesh.api
    async def crumble(self, n: int) -> AsyncIterator[str]:
        for _ in range(n):
            yield "item"
        raise ValueError("the secret text")

    @mesh.api
    async def respond(self, ctx: Context) -> str:
        ctx.response.status_code = 500
        ctx.response.headers["x-ctx"] = "1"
        made = JSONResponse({"a": 1}, 203, {"x-own": "2"})
        made.set_cookie("a", "1")
        made.set_cookie("b", "2")
        made.background = BackgroundTask(self.events.append, "after")
        return made  # type: ignore[return-value]  # it goes out in the place of a value

    @mesh.api
    async def respond_file(self, ctx: Context) -> Response:
        path = Path(ctx.temp_dir) / "a.txt"
        path.write_bytes(b"abc")
        return FileResponse(path, filename="b.txt")

    @mesh.api
    async def respond_stream(self) -> Response:
        async def items() -> AsyncIterator[str]:
            for each in "ab":
                yield each

        return StreamingResponse(items(), media_type="text/csv")

    @mesh.api
    async def respond_without_end(self) -> Response:
        async def items() -> AsyncIterator[str]:
            try:
                while True:
                    self.events.append("item")
                    yield "x" * 2 * WINDOW
            finally:
                for _ in range(9):  # as one that gives something back to where it has it from
                    await asyncio.sleep(0)
                self.events.append("closed")

        return StreamingResponse(items())

    @mesh.api
    def typed(self) -> Annotated[bytes, mesh.ContentType("image/png")]:
        return b"png"


def in_shop(test: Callable[[Bench], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Runs an async test with one replica of Shop, of whose calls nothing may be left."""

    def wrapped() -> None:
        async def main() -> None:
            async with bench(Shop) as made:
                await test(made)

        run(main())

    wrapped.__name__ = test.__name__
    return wrapped


async def ask(made: Bench, method: str, body: Any = None, **head: Any) -> tuple[ReplyHead, bytes]:
    call = await made.start(method, body, **head)
    data = await call.message()
    assert call.head is not None
    return call.head, data or b""


@in_shop
async def test_a_file_says_its_length_and_goes_with_its_folder(made: Bench) -> None:
    head, data = await ask(made, "file")
    assert (head.media_type, data) == ("audio/mpeg", bytes(3))
    assert dict(head.metadata)["content-disposition"] == 'attachment; filename="output.mp3"'
    assert head.length == 3
    (path,) = made.instance.events
    await until(lambda: not path.parent.exists())


@in_shop
async def test_a_large_file_waits_on_disk_for_a_slow_reader(made: Bench) -> None:
    size = 64 * PIECE + 1
    call = await made.start("file", {"size": size})
    assert call.head is not None
    assert call.head.length == size
    (link,) = [made.links.pool.link(each.id) for each in made.service().replicas]
    assert link is not None
    for _ in range(200):
        await asyncio.sleep(0)
    received = 0
    while (piece := await call.piece()) is not None:
        received += len(piece.data)
        assert len(piece.data) <= CHUNK
        assert sum(len(each.data) for each in call.incoming._pieces) <= WINDOW
    assert received == size


@in_shop
async def test_a_reader_who_leaves_ends_the_sending(made: Bench) -> None:
    call = await made.start("file", {"size": 64 * PIECE})
    call.cancel()
    await made.settled()
    (path,) = made.instance.events
    await until(lambda: not path.parent.exists())


@in_shop
async def test_what_the_method_says_beats_what_the_file_says(made: Bench) -> None:
    head, _ = await ask(made, "named")
    assert (head.http_status, head.media_type) == (203, "audio/own")
    fields = [field for field in head.metadata if field[0] in ("content-disposition", "x-a")]
    assert fields == [("content-disposition", "inline"), ("x-a", "1"), ("x-a", "2")]


@in_shop
async def test_a_file_that_is_not_there_is_the_services_fault(made: Bench) -> None:
    with pytest.raises(MeshError, match="no file") as caught:
        await ask(made, "gone")
    assert caught.value.status == 500


@in_shop
async def test_images_of_a_stream_are_data_urls(made: Bench) -> None:
    first, second = await made.items("images")
    assert first == second
    assert first.startswith("data:image/png;base64,")


@in_shop
async def test_a_large_message_says_its_length_and_a_small_one_need_not(made: Bench) -> None:
    head, data = await ask(made, "blob", {"size": CHUNK + 1})
    assert (head.length, len(data)) == (CHUNK + 1, CHUNK + 1)
    head, _ = await ask(made, "blob", {"size": CHUNK})
    assert head.length == 0
    assert (await ask(made, "typed"))[0].media_type == "image/png"


def test_background_work_follows_the_reply(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with bench(Shop) as made:
            head, data = await ask(made, "later")
            assert (head.metadata, data) == ((("x-dropped", "if it fails"),), b"at once")
            events = made.instance.events
            await until(lambda: len(events) == 2)
            # A replica that drains waits for it.
            assert made.handler.running == 1
            assert events[0] == ("sync", "mesh-reply")
            assert events[1].is_dir()
            made.instance.go_on.set()
            await made.settled()
            assert events[2] is True
            await until(lambda: not events[1].exists())

    with caplog.at_level(logging.ERROR):
        run(main())
    (record,) = caplog.records
    assert "background work failed" in record.message
    assert "in the background" in (record.exc_text or "")


@in_shop
async def test_a_method_that_fails_leaves_nothing_for_later(made: Bench) -> None:
    with pytest.raises(MeshError, match="not today"):
        await ask(made, "later", {"fail": True})
    await made.settled()
    assert made.instance.events == []


@in_shop
async def test_events_tell_of_a_failure_before_the_stream_breaks(made: Bench) -> None:
    call = await made.start("crumble", {"n": 1}, accept="text/event-stream")
    assert await call.message() == b"data: item\n\n"
    last = await call.message()
    assert last is not None
    assert last.startswith(b'event: error\ndata: {"error":"An unexpected error')
    assert b"secret" not in last
    with pytest.raises(MeshError):
        await call.message()
    with pytest.raises(MeshError):
        await made.start("crumble", {"n": 0}, accept="text/event-stream")


@in_shop
async def test_bare_items_just_break_off(made: Bench) -> None:
    call = await made.start("crumble", {"n": 1})
    assert await call.message() == b"item"
    with pytest.raises(MeshError):
        await call.message()


@in_shop
async def test_a_returned_response_keeps_its_status_and_fields(made: Bench) -> None:
    head, data = await ask(made, "respond")
    assert (head.http_status, head.media_type) == (203, "application/json")
    assert json.loads(data) == {"a": 1}
    names = [name for name, _ in head.metadata]
    assert sorted(names) == ["set-cookie", "set-cookie", "x-ctx", "x-own"]
    await until(lambda: made.instance.events == ["after"])
    with pytest.raises(MeshError, match="over HTTP only"):
        await ask(made, "respond", accept=CALL)


@in_shop
async def test_a_returned_response_may_be_a_file_or_a_stream(made: Bench) -> None:
    head, data = await ask(made, "respond_file")
    assert (head.length, data) == (3, b"abc")
    fields = dict(head.metadata)
    assert fields["content-disposition"] == 'attachment; filename="b.txt"'
    assert {"etag", "last-modified", "accept-ranges"} <= set(fields)
    call = await made.start("respond_stream")
    assert call.head is not None
    assert (call.head.media_type, call.head.stream) == ("text/csv; charset=utf-8", True)
    assert [await call.message() for _ in range(3)] == [b"a", b"b", None]


@in_shop
async def test_what_a_returned_response_streams_from_is_closed_before_its_call_ends(
    made: Bench,
) -> None:
    call = await made.start("respond_without_end")
    events = made.instance.events
    await until(lambda: len(events) == 2)  # the second is waiting for its reader
    call.cancel()
    await until(lambda: not made.handler.running)
    assert events == ["item", "item", "closed"]
