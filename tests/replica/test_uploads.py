"""Bodies that come in pieces, and what is left of their files."""

import asyncio
import json
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator

import mesh
from mesh import Context
from mesh.call import JSON, CallHead
from mesh.errors import Code, MeshError
from mesh.link.call import CallerCall
from mesh.link.frames import CHUNK, WINDOW
from mesh.replica.bodies import SMALL, THREADS
from tests.io.bodies.rig import BOUNDARY, FORM, form, part
from tests.link.rig import run, until
from tests.replica.bench import Bench, bench
from tests.replica.services import Gate

GATES: list[Gate] = []
"""The gate that slow inputs of the running test wait at."""


def slow(text: str) -> str:
    if text == "slow":
        GATES[-1]()
    return text


def thread_name() -> str:
    return threading.current_thread().name.rpartition("_")[0]


@mesh.service(traffic={"timeout": 20, "max_concurrency": 40}, threads=2)
class Uploads:
    """Methods that take files."""

    def __init__(self) -> None:
        self.seen: list[Path] = []
        self.gate = Gate()
        self.after: list[object] = []

    @mesh.api
    def size(self, file: Path, text: Annotated[str, AfterValidator(slow)] = "") -> list[Any]:
        self.seen.append(file)
        return [file.stat().st_size, file.read_bytes()[:4].decode(), text]

    @mesh.api
    async def fail(self, file: Path) -> int:
        self.seen.append(file)
        raise ValueError("no")

    @mesh.api
    async def hang(self, file: Path) -> None:
        self.seen.append(file)
        await asyncio.get_running_loop().create_future()

    @mesh.api
    def block(self, file: Path) -> None:
        self.seen.append(file)
        self.gate()
        self.after.append(file.read_bytes())

    @mesh.api
    def drip(self, file: Path) -> Iterator[int]:
        self.seen.append(file)
        yield file.stat().st_size
        yield len(file.read_bytes())

    @mesh.api
    def root(self, file: Path, /) -> int:
        return file.stat().st_size

    @mesh.api
    def beside(self, file: Path, ctx: Context) -> bool:
        self.seen.append(file)
        (Path(ctx.temp_dir) / "more").write_bytes(b"x")
        return Path(ctx.temp_dir) == file.parent

    @mesh.api
    async def where(self, text: Annotated[str, AfterValidator(lambda text: text + thread_name())]
    ) -> str:  # fmt: skip
        return text[-20:]


@mesh.service(traffic={"timeout": 0.3})
class Hasty:
    """A service that soon gives up."""

    @mesh.api
    def size(self, file: Path) -> int:
        return file.stat().st_size


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the folders of calls are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def inside(place: Path) -> list[Path]:
    return list(place.iterdir())


Test = Callable[[Bench, Path], Coroutine[Any, Any, None]]


def uploading(test: Test) -> Callable[[Path], None]:
    """Runs an async test with one replica of Uploads, of whose files none may be left."""

    def wrapped(place: Path) -> None:
        GATES.append(Gate())

        async def main() -> None:
            async with bench(Uploads) as made:
                await test(made, place)
                await made.settled()
                await until(lambda: not inside(place))

        run(main())

    wrapped.__name__ = test.__name__
    return wrapped


BIG = b"abcd" * 100_000
HEAD, TAIL = part("file", b"@@", "a.bin").split(b"@@")


async def open_upload(made: Bench, method: str, media_type: str = FORM) -> CallerCall:
    head = CallHead(method, media_type)
    call, _ = await made.dispatcher.open(made.service, head)
    return call


async def upload(
    made: Bench, method: str, pieces: Iterable[bytes], media_type: str = FORM
) -> CallerCall:
    """A call whose body has been sent in these pieces."""
    call = await open_upload(made, method, media_type)
    for piece in pieces:
        await call.send(piece, message_end=False)
    await call.send(b"", message_end=True, end=True)
    return call


async def value(call: CallerCall) -> Any:
    await call.reply()
    body = await call.message()
    assert body is not None
    return json.loads(body)


@uploading
async def test_a_file_that_comes_in_pieces_is_whole_and_its_folder_is_removed(
    made: Bench, place: Path
) -> None:
    pieces = [HEAD, BIG, BIG, TAIL, part("text", b"t"), form()]
    assert await value(await upload(made, "size", pieces)) == [2 * len(BIG), "abcd", "t"]
    (path,) = made.instance.seen
    assert path.parent.parent == place
    await made.settled()
    await until(lambda: not path.parent.exists())


@uploading
async def test_a_small_form_in_one_piece_is_read_as_well(made: Bench, place: Path) -> None:
    call = await upload(made, "size", [form(part("file", b"hi", "f"), part("text", b"1"))])
    assert await value(call) == [2, "hi", "1"]


@uploading
async def test_a_raw_body_of_many_pieces_is_a_root_file(made: Bench, place: Path) -> None:
    call = await upload(made, "root", [BIG] * 20, "application/octet-stream")
    assert await value(call) == 20 * len(BIG)


@uploading
async def test_the_context_has_the_folder_of_the_files(made: Bench, place: Path) -> None:
    assert await value(await upload(made, "beside", [form(part("file", b"x", "f"))])) is True


@uploading
async def test_nothing_is_left_of_a_method_that_fails(made: Bench, place: Path) -> None:
    call = await upload(made, "fail", [HEAD, BIG, TAIL, form()])
    with pytest.raises(MeshError):
        await call.reply()
    assert made.instance.seen


@uploading
async def test_nothing_is_left_of_a_stream(made: Bench, place: Path) -> None:
    call = await upload(made, "drip", [HEAD, BIG, TAIL, form()])
    assert [await call.message(), await call.message()] == [b"400000", b"400000"]
    assert await call.message() is None


@uploading
async def test_nothing_is_left_of_a_stream_that_is_given_up(made: Bench, place: Path) -> None:
    call = await upload(made, "drip", [HEAD, BIG, TAIL, form()])
    await call.message()
    call.cancel()


@uploading
async def test_nothing_is_left_of_a_call_that_is_given_up(made: Bench, place: Path) -> None:
    call = await upload(made, "hang", [HEAD, BIG, TAIL, form()])
    await until(lambda: made.instance.seen)
    assert inside(place)
    call.cancel()


@uploading
async def test_nothing_is_left_of_an_upload_that_is_given_up(made: Bench, place: Path) -> None:
    call = await open_upload(made, "size")
    await call.send(HEAD + BIG, message_end=False)
    await until(lambda: list(place.rglob("body-*")))
    call.cancel()


@uploading
async def test_nothing_is_left_of_an_upload_whose_link_breaks(made: Bench, place: Path) -> None:
    call = await open_upload(made, "size")
    await call.send(HEAD + BIG, message_end=False)
    await until(lambda: list(place.rglob("body-*")))
    await made.running["Uploads"].die()
    with pytest.raises(MeshError):
        await call.reply()


@uploading
async def test_nothing_is_left_of_an_upload_that_ends_too_soon(made: Bench, place: Path) -> None:
    call = await upload(made, "size", [HEAD, BIG])
    with pytest.raises(MeshError) as failed:
        await call.reply()
    assert failed.value.code is Code.INVALID_ARGUMENT
    assert failed.value.violations[0].message == "Broken multipart: the body ends in part 'file'"


@uploading
async def test_a_part_over_its_limit_is_refused_while_it_is_sent(made: Bench, place: Path) -> None:
    call = await open_upload(made, "size")
    await call.send(HEAD + BIG + TAIL + part("text", BIG)[:-2], message_end=False)
    while not call.is_done:
        await call.send(BIG, message_end=False)
        await asyncio.sleep(0)
    with pytest.raises(MeshError, match="field 'text'") as failed:
        await call.reply()
    assert failed.value.status == 413


def test_nothing_is_left_of_an_upload_that_takes_too_long(place: Path) -> None:
    async def main() -> None:
        async with bench(Hasty) as made:
            call = await open_upload(made, "size")
            await call.send(HEAD + BIG, message_end=False)
            with pytest.raises(MeshError) as failed:
                await call.reply()
            assert failed.value.code is Code.DEADLINE_EXCEEDED
            await made.settled()
            await until(lambda: not inside(place))

    run(main())


@uploading
async def test_a_method_in_a_thread_keeps_its_files_until_it_returns(
    made: Bench, place: Path
) -> None:
    call = await upload(made, "block", [form(part("file", b"kept", "f"))])
    await until(lambda: made.instance.gate.entered)
    call.cancel()
    await until(lambda: made.handler.running == 0)
    assert inside(place)
    made.instance.gate.opened.set()
    await until(lambda: made.instance.after == [b"kept"])


@uploading
async def test_a_call_that_is_given_up_while_its_body_is_checked_leaves_nothing(
    made: Bench, place: Path
) -> None:
    body = form(part("text", b"slow"), part("file", BIG, "f"))
    call = await upload(made, "size", [body])
    await until(lambda: GATES[-1].entered)
    call.cancel()
    await until(lambda: made.handler.running == 0)
    assert made.handler.admission.taken == 1
    GATES[-1].opened.set()
    await made.settled()
    assert made.instance.seen == []


@uploading
async def test_a_body_that_nobody_reads_stays_with_its_sender(made: Bench, place: Path) -> None:
    slow_body = form(part("text", b"slow"), part("file", b"x", "f"))
    held = [await upload(made, "size", [slow_body]) for _ in range(THREADS)]
    await until(lambda: GATES[-1].entered == THREADS)
    call = await open_upload(made, "size")
    sent = 0

    async def send() -> None:
        nonlocal sent
        await call.send(HEAD, message_end=False)
        for _ in range(100):
            await call.send(BIG, message_end=False)
            sent += len(BIG)
        await call.send(TAIL + form(), message_end=True, end=True)

    sending = asyncio.ensure_future(send())
    for _ in range(2000):
        await asyncio.sleep(0)
    assert not sending.done()
    # A window at the replica, one in the sender's queue, and what its reader waits to read.
    assert sent <= 2 * WINDOW + 2 * CHUNK + 2 * len(BIG)
    GATES[-1].opened.set()
    await sending
    assert (await value(call))[0] == 100 * len(BIG)
    for each in held:
        assert (await value(each))[2] == "slow"


@uploading
async def test_other_calls_are_answered_while_bodies_are_read(made: Bench, place: Path) -> None:
    slow_body = form(part("text", b"slow"), part("file", b"x", "f"))
    held = [await upload(made, "size", [slow_body]) for _ in range(THREADS)]
    await until(lambda: GATES[-1].entered == THREADS)
    assert await made.ask("where", {"text": ""}) == ""
    for each in held:
        each.cancel()
    GATES[-1].opened.set()


@uploading
async def test_a_large_body_is_decoded_in_a_thread_and_a_small_one_is_not(
    made: Bench, place: Path
) -> None:
    assert await made.ask("where", {"text": ""}) == ""
    assert await made.ask("where", {"text": "x" * SMALL}) == "x" * 11 + "mesh-body"


@uploading
async def test_a_body_that_breaks_off_is_an_error(made: Bench, place: Path) -> None:
    for method, media_type in (("size", FORM), ("where", JSON), ("root", "x/y")):
        call = await open_upload(made, method, media_type)
        await call.send(HEAD, message_end=False)
        await call.send(b"", message_end=False, end=True)
        with pytest.raises(MeshError, match="broke a message off"):
            await call.reply()


@uploading
async def test_closing_a_replica_removes_the_files_of_its_calls(made: Bench, place: Path) -> None:
    call = await upload(made, "hang", [HEAD, BIG, TAIL, form()])
    await until(lambda: made.instance.seen)
    await made.handler.close()
    with pytest.raises(MeshError) as failed:
        await call.reply()
    assert failed.value.code is Code.CANCELLED


def test_the_forms_of_these_tests_have_the_boundary_that_they_name() -> None:
    assert FORM.endswith(BOUNDARY)
