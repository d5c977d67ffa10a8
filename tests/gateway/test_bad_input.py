"""Requests that are wrong: what the client is told, and that nothing else happens."""

import asyncio
import json
from base64 import b64decode
from typing import Any

import pytest

from gateway.forward import MAX_FIELDS
from gateway.grpc_frames import framed
from mesh import rich_status
from mesh.errors import Code
from mesh.io.arguments import encode_call, encode_item
from tests.gateway.asgi_client import Reply, call, call_raw, grpc_exchange, grpc_reply
from tests.gateway.rig import GATEWAY_LIMIT, World, in_world, world
from tests.gateway.services import LIMIT, MAX_BYTES, Demo, Hasty
from tests.link.rig import run, until
from tests.replica.rig import Running, snapshot, version


def told(reply: Reply) -> tuple[int, str, list[tuple[str, list[Any]]]]:
    """Status, error, and type and place of each fault of a JSON reply without a traceback."""
    assert not reply.has_text("Traceback")
    assert not reply.has_text("secret")
    assert reply.is_whole
    assert reply.header("content-type") == "application/json"
    document = json.loads(reply.body)
    faults = [(each["type"], each["loc"]) for each in document.get("detail", [])]
    assert document.keys() <= {"error", "detail"}
    return reply.status, document["error"], faults


BAD_BODIES = [
    ("greet", b'{"name": ', "json_invalid", []),
    ("greet", b"\xff\xfe", "json_invalid", []),
    ("greet", b"[1]", "model_type", []),
    ("greet", b"{}", "missing", ["name"]),
    ("greet", b"", "missing", ["name"]),
    ("greet", b'{"name": 1}', "string_type", ["name"]),
    ("greet", b'{"name": "a", "times": "x"}', "int_parsing", ["times"]),
    ("double", b'{"x": [[1, 2, 3]]}', "value_error", ["x"]),
    ("double", b'{"x": [[1, 2, 3, 4], [1]]}', "value_error", ["x"]),
    ("double", b'{"x": "text"}', "value_error", ["x"]),
    ("double", b'{"x": [["a", "b", "c", "d"]]}', "value_error", ["x"]),
    ("v2/sum", b'{"numbers": [1, "x"]}', "int_parsing", ["numbers", 1]),
]


@pytest.mark.parametrize(("path", "body", "kind", "place"), BAD_BODIES)
def test_a_bad_body_is_400_and_names_the_field(
    path: str, body: bytes, kind: str, place: list[Any]
) -> None:
    async def main() -> None:
        async with world() as made:
            reply = await made.post(f"/{path}", raw=body)
            assert told(reply) == (400, "1 validation error for Input", [(kind, place)])
            await made.still_serves()

    run(main())


@in_world
async def test_every_fault_of_a_body_is_named(made: World) -> None:
    reply = await made.post("/greet", {"times": "x"})
    faults = [("missing", ["name"]), ("int_parsing", ["times"])]
    assert told(reply) == (400, "2 validation error for Input", faults)
    await made.still_serves()


BAD_ARGUMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("greet", {}, "name: "),
    ("greet", {"name": 1}, "name: "),
    ("greet", {"name": "a", "times": "x"}, "times: "),
    ("double", {"x": [[1.0, 2.0, 3.0]]}, "x: "),
    ("double", {"x": "text"}, "x: "),
    ("add", {"numbers": [1, "x"]}, "numbers.1: "),
]


@pytest.mark.parametrize(("method", "arguments", "place"), BAD_ARGUMENTS)
def test_bad_arguments_are_invalid_argument_and_name_the_field(
    method: str, arguments: dict[str, Any], place: str
) -> None:
    async def main() -> None:
        async with world() as made:
            reply = await made.call(method, **arguments)
            assert reply.code == Code.INVALID_ARGUMENT
            assert reply.message.startswith(f"1 validation error for Input: {place}")
            assert "Traceback" not in reply.message
            assert reply.messages == []
            details = dict(reply.metadata)["grpc-status-details-bin"]
            (fault,), _ = rich_status.decode(b64decode(details + "=="))
            assert f"{'.'.join(map(str, fault.path))}: " == place
            await made.still_serves()

    run(main())


@in_world
async def test_a_method_that_does_not_exist_is_404_in_plain_text(made: World) -> None:
    reply = await made.post("/nothing", {})
    assert (reply.status, reply.body) == (404, b"Not Found")
    assert reply.header("content-type") == "text/plain; charset=utf-8"
    assert made.codes("") == {"404": 1}
    await made.still_serves()


@in_world
async def test_a_grpc_method_that_does_not_exist_is_unimplemented(made: World) -> None:
    reply = await made.call("nothing")
    assert (reply.code, reply.message) == (Code.UNIMPLEMENTED, "Demo has no method 'nothing'")
    for path in ("/mesh.v1.Inference/Nothing", "/other.Service/Call"):
        reply = await call(made.gateway, path, b"")
        assert reply.code == Code.UNIMPLEMENTED
        assert path in reply.message
    await made.still_serves()


@in_world
async def test_a_method_of_another_kind_says_how_it_is_called(made: World) -> None:
    reply = await made.call("count", n=1)
    assert reply.code == Code.UNIMPLEMENTED
    assert reply.message == "Demo.count is called by CallServerStream"
    await made.still_serves()


@in_world
async def test_a_declared_body_over_the_limit_is_413_before_it_is_read(made: World) -> None:
    headers = [("content-length", str(MAX_BYTES + 1))]
    reply = await made.post("/measure", raw=b"{", headers=headers)
    assert told(reply) == (413, f"the request body has more than {MAX_BYTES} bytes", [])
    assert made.codes("measure") == {"413": 1}
    await made.still_serves()


@pytest.mark.parametrize("size", [MAX_BYTES, 1000])
def test_a_chunked_body_over_the_limit_is_413(size: int) -> None:
    async def main() -> None:
        async with world() as made:
            part = b" " * size
            reply = await made.post("/measure", raw=[part] * (MAX_BYTES // size + 1))
            assert told(reply) == (413, f"the request body has more than {MAX_BYTES} bytes", [])
            await made.still_serves()

    run(main())


def test_a_service_without_a_limit_has_the_limit_of_the_gateway() -> None:
    async def main() -> None:
        table = snapshot(version(Hasty, {"Hasty": ("one",)}))
        async with world(Running(Hasty(), "one"), table=table) as made:
            reply = await made.post("/count", raw=b" " * (GATEWAY_LIMIT + 1))
            assert told(reply)[0] == 413

    run(main())


@in_world
async def test_a_grpc_message_over_the_limit_is_resource_exhausted(made: World) -> None:
    prefix = b"\0" + (MAX_BYTES + 1).to_bytes(4)
    first = framed(encode_call("total", {}))
    for rpc, parts in (("Call", [prefix]), ("CallClientStream", [first, prefix])):
        reply = await call_raw(made.gateway, rpc, *parts)
        assert reply.code == Code.RESOURCE_EXHAUSTED
        assert reply.message == f"the message has more than {MAX_BYTES} bytes"
    await made.still_serves()


def test_each_version_has_its_own_limit_of_a_grpc_message() -> None:
    async def main() -> None:
        replicas = (Running(Demo(), "one"), Running(Hasty(), "two", version="next"))
        table = snapshot(
            version(Demo, {"Demo": ("one",)}),
            version(Hasty, {"Hasty": ("two",)}, name="next", weight=0),
        )
        async with world(*replicas, table=table) as made:
            text = "a" * GATEWAY_LIMIT
            assert (await made.call("measure", text=text)).code == 0
            headers = [("x-mesh-version", "next")]
            reply = await made.call("hang", text=text, headers=headers)
            assert reply.code == Code.RESOURCE_EXHAUSTED
            assert reply.message == f"the message has more than {GATEWAY_LIMIT} bytes"

    run(main())


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([], Code.INVALID_ARGUMENT),
        ([b"\x02\0\0\0\0"], Code.INVALID_ARGUMENT),
        ([b"GET / HTTP/1.1\r\n\r\n"], Code.INVALID_ARGUMENT),
        ([b"\x01\0\0\0\x01x"], Code.INTERNAL),
        ([framed(b"12345")[:-1]], Code.INVALID_ARGUMENT),
        ([b"\0\0"], Code.INVALID_ARGUMENT),
        ([framed(b"")], Code.INVALID_ARGUMENT),
        ([framed(b"\x12\x00")], Code.INVALID_ARGUMENT),
        ([framed(b"\x0a\x02\xff\xff")], Code.INVALID_ARGUMENT),
        ([framed(encode_call("greet", {"name": "a"}))] * 2, Code.INVALID_ARGUMENT),
    ],
)
def test_a_request_that_is_no_grpc_ends_with_a_status(parts: list[bytes], code: Code) -> None:
    async def main() -> None:
        async with world() as made:
            reply = await call_raw(made.gateway, "Call", *parts)
            assert reply.code == code
            assert reply.message
            assert reply.messages == []
            await made.still_serves()

    run(main())


@in_world
async def test_a_protobuf_that_is_cut_off_is_invalid_wherever_it_is_cut(made: World) -> None:
    whole = encode_call("greet", {"name": "you", "times": 2})
    results = {(await call(made.gateway, "Call", whole[:size])).code for size in range(len(whole))}
    # Cut between two fields it is a message with an argument less.
    assert results <= {0, Code.INVALID_ARGUMENT}
    assert Code.INVALID_ARGUMENT in results
    await made.still_serves()


@in_world
async def test_a_broken_later_message_of_a_stream_ends_the_call_with_a_status(made: World) -> None:
    first = framed(encode_call("total", {}))
    item = framed(encode_item(1))
    for bad in (framed(b"\x1a\x7f"), b"\x07\0\0\0\0", item[:-1], framed(encode_item("x"))):
        reply = await call_raw(made.gateway, "CallClientStream", first, item, bad)
        assert reply.code == Code.INVALID_ARGUMENT, bad
        assert "Traceback" not in reply.message
    await made.still_serves()


@in_world
async def test_a_deadline_that_has_passed_is_deadline_exceeded_and_nothing_runs(
    made: World,
) -> None:
    for given in ("0n", "0S", "1n"):
        reply = await made.call("hang", headers=[("grpc-timeout", given)])
        assert reply.code == Code.DEADLINE_EXCEEDED
        assert reply.message == "the deadline passed before the call was done"
    assert made.demo.started == 0
    await made.still_serves()


@in_world
async def test_a_deadline_that_passes_cancels_the_method(made: World) -> None:
    reply = await made.call("hang", headers=[("grpc-timeout", "300m")])
    assert reply.code == Code.DEADLINE_EXCEEDED
    await made.settled()
    assert (made.demo.started, made.demo.cancelled) == (1, 1)
    await made.still_serves()


@in_world
async def test_a_deadline_ends_a_stream_that_has_begun_with_a_status(made: World) -> None:
    reply = await made.call("drip", rpc="CallServerStream", headers=[("grpc-timeout", "300m")])
    assert reply.code == Code.DEADLINE_EXCEEDED
    assert len(reply.messages) == 1
    await made.settled()
    assert made.demo.cancelled == 1
    await made.still_serves()


def test_a_call_longer_than_the_service_allows_is_504_and_says_so() -> None:
    async def main() -> None:
        table = snapshot(version(Hasty, {"Hasty": ("one",)}))
        async with world(Running(Hasty(), "one"), table=table) as made:
            text = "Not able to process the request in 0.3 seconds"
            assert told(await made.post("/hang"))[:2] == (504, text)
            reply = await made.call("hang")
            assert (reply.code, reply.message) == (Code.DEADLINE_EXCEEDED, text)
            assert (await made.post("/count", {"n": 2})).parts == [b"0", b"1"]

    run(main())


@pytest.mark.parametrize("given", ["", "1", "S", "-1S", "1.5S", "123456789S", "1s", "٣S", " 1S"])
def test_a_malformed_grpc_timeout_is_invalid_argument(given: str) -> None:
    async def main() -> None:
        async with world() as made:
            exchange = grpc_exchange(made.gateway, "Call")
            exchange._scope["headers"].append((b"grpc-timeout", given.encode()))
            await exchange.feed(framed(encode_call("greet", {"name": "a"})))
            reply = grpc_reply(await exchange.done())
            assert reply.code == Code.INVALID_ARGUMENT
            assert "grpc-timeout" in reply.message
            await made.still_serves()

    run(main())


@in_world
async def test_a_flood_of_header_fields_is_431_or_resource_exhausted(made: World) -> None:
    flood = [(f"x-{number}", "v") for number in range(MAX_FIELDS + 1)]
    text = f"the request has more than {MAX_FIELDS} header fields"
    assert told(await made.post("/greet", {"name": "a"}, headers=flood))[:2] == (431, text)
    reply = await made.call("greet", name="a", headers=flood)
    assert (reply.code, reply.message) == (Code.RESOURCE_EXHAUSTED, text)
    assert (await made.call("greet", name="a", headers=flood[1:])).code == 0
    await made.still_serves()


@in_world
async def test_pickles_are_415(made: World) -> None:
    headers = [("content-type", "application/vnd.bentoml+pickle")]
    reply = await made.post("/greet", raw=b"\x80\x05N.", headers=headers)
    assert reply.status == 415
    await made.still_serves()


@in_world
async def test_a_fault_of_the_service_is_500_and_keeps_its_text_to_the_log(made: World) -> None:
    text = "An unexpected error has occurred, please check the server log."
    reply = await made.post("/crash")
    assert told(reply) == (500, text, [])
    answer = await made.call("crash")
    assert (answer.code, answer.message) == (Code.INTERNAL, text)
    await made.still_serves()


@in_world
async def test_an_error_of_the_service_keeps_its_code_and_text(made: World) -> None:
    text = "not before nöon: 100% sure\n"
    assert told(await made.post("/refuse"))[:2] == (422, text)
    reply = await made.call("refuse")
    assert (reply.code, reply.message) == (Code.FAILED_PRECONDITION, text)
    assert "not before n%C3%B6on: 100%25 sure%0A" in dict(reply.metadata)["grpc-message"]
    await made.still_serves()


@in_world
async def test_an_error_with_advice_when_to_retry_passes_it_on(made: World) -> None:
    reply = await made.post("/wait_a_bit")
    assert (reply.status, reply.header("retry-after")) == (503, "2")
    answer = await made.call("wait_a_bit")
    assert answer.code == Code.UNAVAILABLE
    assert dict(answer.metadata)["grpc-retry-pushback-ms"] == "2500"
    await made.still_serves()


@in_world
async def test_a_stream_that_fails_before_its_first_item_is_an_ordinary_error(made: World) -> None:
    assert told(await made.post("/crumble", {"after": 0}))[0] == 500
    reply = await made.call("crumble", rpc="CallServerStream", after=0)
    assert (reply.code, reply.messages) == (Code.INTERNAL, [])
    await made.still_serves()


@in_world
async def test_a_reply_that_breaks_midway_is_never_a_clean_end(made: World) -> None:
    reply = await made.post("/crumble", {"after": 2})
    assert reply.parts == [b"0", b"1"]
    assert type(reply.error).__name__ == "BrokenReplyError"
    assert not reply.is_whole
    assert not reply.has_text("secret")
    answer = await made.call("crumble", rpc="CallServerStream", after=2)
    assert answer.code == Code.INTERNAL
    assert len(answer.messages) == 2
    assert answer.http.trailers
    assert "secret" not in answer.message
    assert made.codes("crumble") == {"500": 1, "INTERNAL": 1}
    await made.still_serves()


@in_world
async def test_calls_over_the_limit_are_refused_at_once(made: World) -> None:
    tasks = [asyncio.ensure_future(made.post("/slow")) for _ in range(LIMIT)]
    await until(lambda: made.demo.started == LIMIT)
    reply = await made.post("/greet", {"name": "you"})
    assert told(reply) == (429, "Too many requests", [])
    assert int(reply.header("retry-after")) >= 1
    answer = await made.call("greet", name="you")
    assert (answer.code, answer.message) == (Code.RESOURCE_EXHAUSTED, "Too many requests")
    made.demo.go_on.set()
    assert [(await task).status for task in tasks] == [200] * LIMIT
    await made.still_serves()


def test_without_a_ready_replica_requests_are_503() -> None:
    async def main() -> None:
        table = snapshot(version(Demo, {}))
        async with world(Running(Demo(), "other"), table=table) as made:
            status, text, _ = told(await made.post("/greet", {"name": "a"}))
            assert status == 503
            assert "ready" in text
            reply = await made.call("greet", name="a")
            assert reply.code == Code.UNAVAILABLE

    run(main())
