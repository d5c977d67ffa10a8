"""Both clients against a server that does what a script says."""

import asyncio
import io
import re
import socket
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesh.client import AsyncClient, Client
from mesh.client.grpc_messages import metadata
from mesh.client.options import Options
from mesh.client.retry import NotSent
from mesh.client.tries import Tries
from mesh.errors import (
    Code,
    ConfigError,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    MeshError,
    NotFound,
    Overloaded,
    Unavailable,
    Unimplemented,
)
from mesh.io.value import value_bytes
from mesh.v1.inference_pb2 import CallReply
from mesh.v1.types_pb2 import Value
from tests.client.scripted import (
    Server,
    answer,
    drop,
    frames,
    half,
    ok,
    refused,
    scripted,
    stall,
    trickle,
    unavailable,
)

Call = Callable[..., Any]


def call_sync(server: Server | str, method: str, /, *args: Any, **options: Any) -> Any:
    kwargs = options.pop("kwargs", {})
    with Client(server if isinstance(server, str) else server.url, **options) as client:
        result = client.call(method, *args, **kwargs)
        return list(result) if method == "count" else _content(result)


def call_async(server: Server | str, method: str, /, *args: Any, **options: Any) -> Any:
    kwargs = options.pop("kwargs", {})

    async def run() -> Any:
        url = server if isinstance(server, str) else server.url
        async with AsyncClient(url, **options) as client:
            if method == "count":
                return [item async for item in client.stream(method, *args, **kwargs)]
            return _content(await client.call(method, *args, **kwargs))

    return asyncio.run(run())


def _content(result: Any) -> Any:
    return result.read_text() if isinstance(result, Path) else result


@pytest.fixture(params=[call_sync, call_async], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    made: Call = request.param
    return made


def reply(number: int) -> bytes:
    return CallReply(value=Value.FromString(value_bytes(number))).SerializeToString()


# Tries


def test_what_was_refused_is_tried_again(call: Call) -> None:
    with scripted(refused(), refused(), ok(3)) as server:
        assert call(server, "buy") == 3
        assert len(server.seen) == 3


def test_there_are_as_many_tries_as_said(call: Call) -> None:
    with scripted(refused()) as server:
        with pytest.raises(Overloaded, match="Too many requests"):
            call(server, "buy", retries=1)
        assert len(server.seen) == 2


def test_no_try_is_made_that_would_begin_after_the_deadline(call: Call) -> None:
    with scripted(refused("1000")) as server:
        with pytest.raises(Overloaded) as caught:
            call(server, "buy", timeout=30)
        assert caught.value.retry_after == 1000
        assert len(server.seen) == 1


@pytest.mark.parametrize("step", [drop, unavailable()], ids=["dropped", "503"])
def test_what_may_have_run_is_repeated_only_if_that_is_harmless(call: Call, step: Any) -> None:
    with scripted(step, ok(3)) as server:
        with pytest.raises(Unavailable):
            call(server, "buy")
        assert len(server.seen) == 1
    with scripted(step, ok(3)) as server:
        assert call(server, "price") == 3
        assert len(server.seen) == 2


def test_a_server_that_is_not_there_is_said_so(call: Call) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else can
        port = bound.getsockname()[1]
        with pytest.raises(Unavailable, match="cannot connect"):
            call(f"http://127.0.0.1:{port}", "buy", retries=0)


def test_a_server_that_starts_late_is_waited_for(call: Call) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # until it listens, connections are refused
        server = Server([ok(3)], listener=listener)

        def start() -> None:
            listener.listen()
            server.start()

        timer = threading.Timer(0.2, start)
        timer.start()
        try:
            assert call(server, "buy", retries=100, timeout=30) == 3
        finally:
            timer.join()
            server.stop()


def test_a_file_that_the_caller_opened_is_sent_once(call: Call) -> None:
    with scripted(refused(), ok(3)) as server:
        with pytest.raises(Overloaded):
            call(server, "scan", kwargs={"page": io.BytesIO(b"abc")})
        assert len(server.seen) == 1


def test_a_file_with_a_path_is_sent_whole_with_every_try(call: Call, tmp_path: Path) -> None:
    page = tmp_path / "page.txt"
    page.write_bytes(b"content")
    with scripted(refused(), ok(3)) as server:
        assert call(server, "scan", page) == 3
        assert [b"content" in each.body for each in server.seen] == [True, True]


# Deadlines


@pytest.mark.parametrize("step", [stall, half, trickle])
def test_the_deadline_holds_however_slow_the_reply_is(call: Call, step: Any) -> None:
    with scripted(step) as server, pytest.raises(DeadlineExceeded):
        call(server, "price", timeout=0.3)


def test_a_reply_that_breaks_off_is_an_error_and_leaves_no_file(call: Call) -> None:
    def cut(send: Any, stop: Any) -> None:
        answer(b"abc", content_length="9", content_type="text/plain")(send, stop)
        raise OSError

    with scripted(cut) as server, pytest.raises(Unavailable, match="connection broke"):
        call(server, "receipt")


# Streams


def test_items_come_one_by_one(call: Call) -> None:
    with scripted(frames(reply(1), reply(2))) as server:
        assert call(server, "count", 2) == [1, 2]


def test_nothing_is_tried_again_after_the_first_item() -> None:
    with scripted(frames(reply(1), whole=False)) as server, Client(server.url) as client:
        items = client.options(retries=5).count(2)
        assert next(items) == 1
        with pytest.raises(Unavailable):
            next(items)
        assert len(server.seen) == 1


def test_a_stream_is_tried_again_before_its_first_item(call: Call) -> None:
    with scripted(refused(), frames(reply(1))) as server:
        assert call(server, "count", 1) == [1]


def test_a_stream_that_is_left_closes_its_connection() -> None:
    gone = threading.Event()

    def endless(send: Any, stop: threading.Event) -> None:
        frames(reply(1), whole=False)(send, stop)
        framed = len(reply(2)).to_bytes(4, "big") + reply(2)
        try:
            while not stop.is_set():  # waits once the client reads no more
                send(b"%x\r\n%b\r\n" % (len(framed), framed))
        except OSError:
            gone.set()
            raise

    with scripted(endless) as server, Client(server.url) as client:
        with closing(client.count(2)) as items:
            assert next(items) == 1
        assert gone.wait(60)


def test_a_method_that_yields_is_not_awaited() -> None:
    with scripted(ok(3)) as server:

        async def run() -> None:
            async with AsyncClient(server.url) as client:
                with pytest.raises(TypeError, match="gives a stream"):
                    await client.call("count", 1)
                with pytest.raises(TypeError, match="gives no stream"):
                    await anext(client.stream("buy"))

        asyncio.run(run())


# Bodies


def test_a_whole_file_is_the_body_with_its_size(call: Call, tmp_path: Path) -> None:
    page = tmp_path / "page.txt"
    page.write_bytes(b"content")
    with scripted(ok(3)) as server:
        assert call(server, "whole", page) == 3
        (seen,) = server.seen
    assert (seen.body, seen.headers["content-type"]) == (b"content", "text/plain")
    assert seen.headers["content-length"] == "7"


def test_the_name_of_a_file_stands_for_it(call: Call, tmp_path: Path) -> None:
    page = tmp_path / 'a"b.txt'
    page.write_bytes(b"content")
    with scripted(ok(3)) as server:
        assert call(server, "scan", str(page), kwargs={"note": "n"}) == 3
        (seen,) = server.seen
    assert b'filename="a_b.txt"' in seen.body
    assert b'"n"' in seen.body


def test_an_array_beside_a_file_keeps_its_type(call: Call, tmp_path: Path) -> None:
    page = tmp_path / "page.txt"
    page.write_bytes(b"content")
    with scripted(ok(3)) as server:
        call(server, "scan", page, kwargs={"rows": np.ones(3, np.float16)})
        (seen,) = server.seen
    assert b"application/x-npy" in seen.body
    assert b"<f2" in seen.body


def test_a_file_that_is_not_there_is_named(call: Call, tmp_path: Path) -> None:
    with scripted(ok(3)) as server:
        with pytest.raises(ValueError, match="page: there is no file"):
            call(server, "scan", tmp_path / "none")
        assert not server.seen


def test_a_file_opened_as_text_is_refused(call: Call) -> None:
    with scripted(ok(3)) as server, pytest.raises(TypeError, match=r"page: .* binary mode"):
        call(server, "scan", io.StringIO("text"))


@pytest.mark.parametrize("method", ["scan", "whole"])
def test_a_large_file_is_never_whole_in_memory(call: Call, method: str, tmp_path: Path) -> None:
    page = tmp_path / "page.bin"
    size = 64 * 1024 * 1024
    with page.open("wb") as file:
        file.truncate(size)
    with scripted(ok(3)) as server:
        call(server, "price")  # loads what is loaded once
        tracemalloc.start()
        try:
            assert call(server, method, page) == 3
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert server.seen[-1].size >= size
    assert peak < size / 4


def test_a_file_is_received_under_its_name(call: Call) -> None:
    fields = {"content_type": "text/plain", "content_disposition": 'attachment; filename="r.txt"'}
    with scripted(answer(b"paid", **fields)) as server:
        assert call(server, "receipt") == "paid"
        with Client(server.url) as client:
            path = client.receipt()
            assert path.name.endswith("r.txt")
        assert not path.exists()


# Errors


def test_a_failure_has_its_class_status_and_faults(call: Call) -> None:
    body = b'{"error": "1 validation error", "detail": [{"loc": ["n"], "msg": "too small"}]}'
    with scripted(answer(body, "400 Bad Request")) as server:
        with pytest.raises(InvalidArgument) as caught:
            call(server, "buy", 0)
        assert caught.value.violations[0].path == ("n",)
    gone = answer(b'{"error": "gone"}', "404 Not Found")
    with scripted(gone) as server, pytest.raises(NotFound, match="gone"):
        call(server, "buy")
    with scripted(answer(b'{"error": "stout"}', "418 Teapot")) as server:
        with pytest.raises(MeshError) as teapot:
            call(server, "buy")
        assert (teapot.value.status, teapot.value.code) == (418, Code.UNKNOWN)


def test_arguments_that_do_not_fit_are_not_sent(call: Call) -> None:
    with scripted(ok(3)) as server:
        with pytest.raises(TypeError, match="no parameter 'm'"):
            call(server, "buy", kwargs={"m": 1})
        with pytest.raises(TypeError, match="takes 1 argument, not 2"):
            call(server, "buy", 1, 2)
        with pytest.raises(TypeError, match="lacks 'page'"):
            call(server, "scan")
        assert not server.seen


def test_a_method_that_is_not_there_is_an_attribute_error() -> None:
    with scripted(ok(3)) as server, Client(server.url) as client:
        with pytest.raises(AttributeError, match="Shop has no method 'sell'; its methods: buy"):
            client.sell()
        assert not hasattr(client, "sell")
        assert {"buy", "price", "call"} <= set(dir(client))


@pytest.mark.parametrize("url", ["localhost:3000", "ftp://x", "http://", "grpc://h:1/x"])
@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_url_that_is_none_is_refused(client: Any, url: str) -> None:
    with pytest.raises(ConfigError):
        client(url)


# The client itself


def test_a_closed_client_says_so() -> None:
    with scripted(ok(3)) as server:
        client = Client(server.url)
        other = client.options(timeout=3)
        assert client.buy() == 3
        client.close()
        client.close()
        for each in (client, other):
            with pytest.raises(FailedPrecondition, match="is closed"):
                each.call("buy")


def test_a_closed_async_client_says_so() -> None:
    with scripted(ok(3)) as server:

        async def run() -> None:
            client = AsyncClient(server.url)
            await client.close()
            await client.close()
            with pytest.raises(FailedPrecondition, match="is closed"):
                await client.call("buy")

        asyncio.run(run())


@pytest.mark.parametrize("scheme", ["http", "grpc"])
@pytest.mark.parametrize("made", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"headers": {"bad name": "1"}}, "header 'bad name'"),
        ({"headers": {"": "1"}}, "header ''"),
        ({"headers": {"x-a": "\u00e9"}}, "header 'x-a'"),
        ({"headers": {"x-a": "a\r\nb: c"}}, "header 'x-a'"),
        ({"headers": {"x-a": " a"}}, "header 'x-a'"),
        ({"headers": {"x-a": b"a"}}, "header 'x-a'"),
        ({"headers": {"X-A-Bin": "AAE="}}, "header 'X-A-Bin'"),
        ({"token": "s\u00e9cret"}, "token"),
        ({"endpoint": "\u00e9"}, "endpoint"),
    ],
)
def test_what_no_header_field_can_carry_is_refused_by_its_name(
    made: Any, scheme: str, options: Any, named: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(named)}: ") as caught:
        made(f"{scheme}://127.0.0.1:1", **options)
    assert "cret" not in str(caught.value)


def test_binary_header_fields_are_base64_over_http(call: Call) -> None:
    with scripted(ok(1)) as server:
        assert call(server, "buy", headers={"X-Blob-Bin": b"\0\1", "x-none": ""}) == 1
    assert server.seen[0].headers["x-blob-bin"] == "AAE="


def test_a_server_that_is_not_there_over_grpc_is_named() -> None:
    said = r"^cannot connect to 127\.0\.0\.1:1: connection refused$"
    with (
        Client("grpc://127.0.0.1:1", retries=0) as client,
        pytest.raises(Unavailable, match=said),
    ):
        client.call("buy")


def test_a_call_that_broke_is_told_although_nobody_is_there_any_more() -> None:
    tries = Tries(Options(retries=1), can_repeat=True, idempotent=True)
    broke = Unavailable("the connection broke while the call ran")
    tries.pause(broke)
    with pytest.raises(Unavailable) as caught:
        tries.pause(NotSent("cannot connect"))
    assert caught.value is broke


def test_binary_metadata_is_bytes_over_grpc() -> None:
    options = Options(headers={"X-Blob-Bin": b"\0\1", "x-a": "b"}, token="t")
    assert metadata(options) == [
        ("x-blob-bin", b"\0\1"),
        ("x-a", "b"),
        ("authorization", "Bearer t"),
    ]


def test_options_are_of_the_new_client_alone() -> None:
    with scripted(ok(3)) as server, Client(server.url, headers={"A": "1"}) as client:
        other = client.options(headers={"B": "2"}, token="t", version="blue")
        other.buy()
        client.buy()
        theirs, ours = (each.headers for each in server.seen)
    assert (theirs["a"], theirs["b"], theirs["x-mesh-version"]) == ("1", "2", "blue")
    assert theirs["authorization"] == "Bearer t"
    assert ours["a"] == "1"
    assert not {"b", "authorization", "x-mesh-version"} & set(ours)


def test_an_option_that_is_none_is_refused() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(TypeError, match="tiemout"):
        client.options(tiemout=3)  # type: ignore[call-arg]  # on purpose


def test_a_cancelled_call_leaves_its_connection() -> None:
    with scripted(stall, ok(3)) as server:

        async def run() -> Any:
            async with AsyncClient(server.url) as client:
                task = asyncio.create_task(client.call("buy"))
                assert await asyncio.to_thread(server.came.wait, 60)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                return await client.call("buy")

        assert asyncio.run(run()) == 3


def test_threads_share_a_client() -> None:
    with scripted(ok(3)) as server, Client(server.url) as client:
        found: list[Any] = []
        threads = [threading.Thread(target=lambda: found.append(client.buy())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert found == [3] * 8


def test_a_stream_of_items_needs_grpc() -> None:
    refusal = pytest.raises(Unimplemented, match="only gRPC")
    with scripted(ok(3)) as server, Client(server.url) as client, refusal:
        client.total([1, 2])


@pytest.mark.parametrize("made", [Client, AsyncClient])
def test_secrets_are_not_shown(made: type[Client] | type[AsyncClient]) -> None:
    client = made("http://me:hidden@host:3000/", token="hidden", headers={"x-key": "hidden"})
    assert "host:3000" in repr(client)
    assert "hidden" not in repr(client) + repr(client._options)
    with pytest.raises(ConfigError) as refusal:
        made("ftp://me:hidden@host")
    assert "hidden" not in str(refusal.value)
