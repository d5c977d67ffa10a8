"""The Open Inference Protocol over gRPC, at a gateway in memory."""

import struct
from typing import Any

import numpy as np
import pytest

from gateway.grpc_frames import MessageReader, framed
from gateway.open_inference_names import Names, names
from mesh.errors import Code, InvalidArgument
from mesh.traffic.snapshot import Snapshot
from mesh.v1 import open_inference_pb2 as pb
from tests.gateway.asgi_client import Exchange, GrpcReply, Headers, call, grpc_exchange, grpc_reply
from tests.gateway.rig import World, world
from tests.gateway.test_open_inference import at_zoo
from tests.gateway.zoo import Zoo
from tests.link.rig import run, until
from tests.replica.rig import Running

pytestmark = pytest.mark.usefixtures("server")

SERVICE = "/inference.GRPCInferenceService/"
ROWS = np.arange(1, 5, dtype="<f4").reshape(1, 4)
FINAL = "triton_final_response"


def request(
    model: str, *, version: str = "", number: str = "", ends: bool = False, **raw: Any
) -> bytes:
    """A request with raw contents: arrays, numbers, texts."""
    made = pb.ModelInferRequest(model_name=model, model_version=version, id=number)
    if ends:
        made.parameters["triton_enable_empty_final_response"].bool_param = True
    for name, value in raw.items():
        if isinstance(value, str):
            text = value.encode()
            made.inputs.add(name=name, datatype="BYTES", shape=[1])
            made.raw_input_contents.append(struct.pack("<I", len(text)) + text)
            continue
        array = np.asarray(value)
        datatype = {"float32": "FP32", "int64": "INT64", "float16": "FP16"}[array.dtype.name]
        made.inputs.add(name=name, datatype=datatype, shape=array.shape)
        made.raw_input_contents.append(array.tobytes())
    return made.SerializeToString()


async def infer(made: World, message: bytes, headers: Headers = ()) -> GrpcReply:
    return await call(made.gateway, f"{SERVICE}ModelInfer", message, headers=headers)


def response(reply: GrpcReply) -> pb.ModelInferResponse:
    assert reply.code == 0, (reply.code, reply.message)
    (message,) = reply.messages
    return pb.ModelInferResponse.FromString(message)


async def stream(made: World, *messages: bytes, headers: Headers = ()) -> GrpcReply:
    return await call(made.gateway, f"{SERVICE}ModelStreamInfer", *messages, headers=headers)


def responses(reply: GrpcReply) -> list[pb.ModelStreamInferResponse]:
    assert reply.code == 0, (reply.code, reply.message)
    return [pb.ModelStreamInferResponse.FromString(each) for each in reply.messages]


async def asked(made: World, rpc: str, message: Any, reply: Any, headers: Headers = ()) -> Any:
    found = await call(
        made.gateway, f"{SERVICE}{rpc}", message.SerializeToString(), headers=headers
    )
    assert found.code == 0, found.message
    return reply.FromString(found.messages[0])


async def still_infers(made: World) -> None:
    assert response(await infer(made, request("Zoo.double", rows=ROWS))).model_name == "Zoo.double"


@at_zoo
async def test_server_and_models_say_what_they_are(made: World) -> None:
    assert (await asked(made, "ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse)).live
    assert (await asked(made, "ServerReady", pb.ServerReadyRequest(), pb.ServerReadyResponse)).ready
    server = await asked(
        made, "ServerMetadata", pb.ServerMetadataRequest(), pb.ServerMetadataResponse
    )
    assert server.name == "serving-mesh"
    model = await asked(
        made,
        "ModelMetadata",
        pb.ModelMetadataRequest(name="Zoo.double"),
        pb.ModelMetadataResponse,
    )
    assert list(model.versions) == ["main", "next"]
    assert [(each.name, each.datatype, list(each.shape)) for each in model.inputs] == [
        ("rows", "FP32", [-1, 4]),
        ("factor", "FP64", [1]),
    ]
    ready = pb.ModelReadyRequest(name="double", version="next")
    assert (await asked(made, "ModelReady", ready, pb.ModelReadyResponse)).ready
    config = (
        await asked(
            made, "ModelConfig", pb.ModelConfigRequest(name="countdown"), pb.ModelConfigResponse
        )
    ).config
    assert config.model_transaction_policy.decoupled
    assert config.input[0].data_type == pb.TYPE_INT64
    index = await asked(
        made, "RepositoryIndex", pb.RepositoryIndexRequest(ready=True), pb.RepositoryIndexResponse
    )
    assert {each.state for each in index.models} == {"READY"}
    named = await asked(
        made,
        "ModelMetadata",
        pb.ModelMetadataRequest(name="Zoo.double"),
        pb.ModelMetadataResponse,
        [("x-mesh-version", "next")],
    )
    assert list(named.versions) == ["next"]


def test_a_gateway_without_endpoints_is_alive_and_not_ready() -> None:
    async def main() -> None:
        async with world(Running(Zoo(), "one"), table=Snapshot(number=1)) as made:
            live = await asked(made, "ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse)
            assert live.live
            ready = await asked(
                made, "ServerReady", pb.ServerReadyRequest(), pb.ServerReadyResponse
            )
            assert not ready.ready
            assert (await infer(made, request("double"))).code == Code.NOT_FOUND

    run(main())


@at_zoo
async def test_calls_are_counted_as_those_of_the_method(made: World) -> None:
    await still_infers(made)
    await infer(made, request("double", x=ROWS))
    await stream(made, request("add", a=np.array([1])), request("add", a=np.array([1])))
    assert made.codes("double") == {"OK": 1, "INVALID_ARGUMENT": 1}
    assert made.codes("add") == {"OK": 1}, "the stream, for its first request"


@at_zoo
async def test_raw_contents_give_raw_contents(made: World) -> None:
    found = response(await infer(made, request("Zoo.double", number="7", rows=ROWS)))
    assert (found.model_name, found.model_version, found.id) == ("Zoo.double", "main", "7")
    (output,) = found.outputs
    assert (output.datatype, list(output.shape)) == ("FP32", [1, 4])
    assert not output.HasField("contents")
    assert np.frombuffer(found.raw_output_contents[0], "<f4").tolist() == [2, 4, 6, 8]
    none = response(await infer(made, request("version")))
    assert none.raw_output_contents[0] == b"\4\0\0\0main"


@at_zoo
async def test_typed_contents_give_typed_contents_where_there_are_any(made: World) -> None:
    message = pb.ModelInferRequest(model_name="describe")
    message.inputs.add(name="rows", datatype="FP32", shape=[1, 4]).contents.fp32_contents.extend(
        [1, 2, 3, 4]
    )
    found = response(await infer(made, message.SerializeToString()))
    assert not found.raw_output_contents
    assert [list(each.contents.fp64_contents) for each in found.outputs] == [[2.5], [], []]
    assert list(found.outputs[2].contents.fp32_contents) == [1, 2, 3, 4]
    half = response(await infer(made, request("half", x=np.ones(2, np.float16))))
    assert [each.datatype for each in half.outputs] == ["FP16", "BYTES"]
    assert half.raw_output_contents[1] == b"\4\0\0\0half"


@at_zoo
async def test_a_version_is_chosen_in_the_message_as_in_the_metadata(made: World) -> None:
    for message, headers in (
        (request("version", version="next"), ()),
        (request("version"), [("x-mesh-version", "next")]),
    ):
        reply = await infer(made, message, headers)
        assert response(reply).model_version == "next"
        assert ("x-mesh-version", "next") in reply.metadata
    reply = await infer(made, request("version", version="none"))
    assert (reply.code, "'none'" in reply.message) == (Code.NOT_FOUND, True)


@at_zoo
async def test_failures_have_a_status_that_names_the_tensor(made: World) -> None:
    wrong = pb.ModelInferRequest(model_name="double")
    wrong.inputs.add(name="rows", datatype="FP32", shape=[1, 4])
    wrong.raw_input_contents.extend([b"", b""])
    short = pb.ModelInferRequest(model_name="double")
    short.inputs.add(name="rows", datatype="FP32", shape=[1, 4])
    short.raw_input_contents.append(b"123")
    for message, code, text in (
        (request("nothing"), Code.NOT_FOUND, "'nothing'"),
        (request("anything"), Code.NOT_FOUND, "'anything'"),
        (request("countdown", n=np.array([1])), Code.UNIMPLEMENTED, "ModelStreamInfer"),
        (request("crash", x=np.array([1])), Code.INTERNAL, "An unexpected error"),
        (request("refuse", x=np.array([1])), Code.FAILED_PRECONDITION, "not before noon"),
        (request("double", x=ROWS), Code.INVALID_ARGUMENT, "x: there is no such input"),
        (wrong.SerializeToString(), Code.INVALID_ARGUMENT, "2 raw_input_contents for 1 inputs"),
        (short.SerializeToString(), Code.INVALID_ARGUMENT, "rows: FP32 of shape [1,4] has 16 b"),
        (b"", Code.INVALID_ARGUMENT, "model_name"),
        (b"\xff\xff\xff", Code.INVALID_ARGUMENT, "inference.ModelInferRequest"),
        (b"\x0a\x06double\x2a\x7f", Code.INVALID_ARGUMENT, "inference.ModelInferRequest"),
    ):
        reply = await infer(made, message)
        assert reply.code == code, (reply.code, reply.message)
        assert text in reply.message
        assert "secret" not in reply.message
    await still_infers(made)


@at_zoo
async def test_what_is_not_served_is_unimplemented_and_says_why(made: World) -> None:
    for rpc, text in (
        ("ModelStatistics", "/metrics"),
        ("RepositoryModelLoad", "deployments"),
        ("RepositoryModelUnload", "deployments"),
        ("SystemSharedMemoryStatus", "shared memory"),
        ("CudaSharedMemoryRegister", "shared memory"),
        ("TraceSetting", "settings"),
        ("LogSettings", "settings"),
        ("Nothing", "there is no gRPC method"),
    ):
        reply = await call(made.gateway, f"{SERVICE}{rpc}", b"")
        assert (reply.code, text in reply.message) == (Code.UNIMPLEMENTED, True), reply.message
    reply = await call(made.gateway, f"{SERVICE}ModelReady", b"\xff")
    assert reply.code == Code.INVALID_ARGUMENT


@at_zoo
async def test_a_stream_answers_methods_that_return_in_order(made: World) -> None:
    messages = [request("add", number=str(n), a=np.array([n])) for n in range(50)]
    found = responses(await stream(made, *messages))
    assert [each.infer_response.id for each in found] == [str(n) for n in range(50)]
    numbers = [struct.unpack("<q", each.infer_response.raw_output_contents[0]) for each in found]
    assert numbers == [(n + 1,) for n in range(50)]
    assert all(each.infer_response.parameters[FINAL].bool_param for each in found)
    assert responses(await stream(made)) == []


@at_zoo
async def test_a_method_that_yields_answers_with_many_responses(made: World) -> None:
    found = responses(await stream(made, request("countdown", number="1", n=np.array([3]))))
    assert [each.infer_response.raw_output_contents[0][0] for each in found] == [3, 2, 1]
    assert not any(each.infer_response.parameters[FINAL].bool_param for each in found)
    found = responses(
        await stream(made, request("countdown", number="1", ends=True, n=np.array([2])))
    )
    assert [each.infer_response.parameters[FINAL].bool_param for each in found] == [0, 0, 1]
    assert [len(each.infer_response.outputs) for each in found] == [1, 1, 0]
    assert {each.infer_response.id for each in found} == {"1"}
    none = responses(await stream(made, request("countdown", ends=True, n=np.array([0]))))
    assert [each.infer_response.parameters[FINAL].bool_param for each in none] == [True]


@at_zoo
async def test_a_failure_in_a_stream_is_a_message_of_it(made: World) -> None:
    found = responses(
        await stream(
            made,
            request("add", number="a", a=np.array([1])),
            request("nothing", number="b"),
            b"\xff",
            request("refuse", number="c", x=np.array([1])),
            request("tokens", number="d", text_input="to be or", fail_after=np.array([1])),
            request("add", number="e", a=np.array([1]), version="none"),
            request("add", number="f", a=np.array([2])),
        )
    )
    failed = {each.infer_response.id: each.error_message for each in found if each.error_message}
    assert set(failed) == {"b", "", "c", "d", "e"}
    assert failed["c"] == "not before noon"
    assert failed["d"] == "no more words"
    passed = [each.infer_response.id for each in found if not each.error_message]
    assert sorted(passed) == ["a", "d", "f"]
    assert passed.index("a") < passed.index("f")
    await still_infers(made)


def read(exchange: Exchange, count: int) -> list[pb.ModelStreamInferResponse]:
    reader = MessageReader(1 << 20)
    reader.put(b"".join(exchange.reply.parts))
    found = [pb.ModelStreamInferResponse.FromString(each) for each in iter(reader.take, None)]
    assert len(found) == count
    return found


@at_zoo
async def test_a_response_comes_before_the_stream_ends_and_a_slow_call_holds_no_stream_up(
    made: World,
) -> None:
    instance = made.links.replicas["one"].instance
    exchange = grpc_exchange(made.gateway, f"{SERVICE}ModelStreamInfer")
    await exchange.feed(framed(request("wait", number="slow", x=np.array([1]))), more=True)
    await until(lambda: instance.started == 1)
    await exchange.feed(framed(request("countdown", number="quick", n=np.array([2]))), more=True)
    await exchange.begun(2)
    assert {each.infer_response.id for each in read(exchange, 2)} == {"quick"}
    await exchange.feed(framed(request("add", number="next", a=np.array([2]))), more=True)
    instance.go_on.set()
    await exchange.begun(4)
    assert [each.infer_response.id for each in read(exchange, 4)[2:]] == ["slow", "next"]
    await exchange.feed()
    assert grpc_reply(await exchange.done()).code == 0


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_client_that_leaves_ends_all_calls_of_its_stream(is_whole: bool) -> None:
    @at_zoo
    async def check(made: World) -> None:
        instance = made.links.replicas["one"].instance
        exchange = grpc_exchange(made.gateway, f"{SERVICE}ModelStreamInfer")
        for number in range(3):
            message = framed(request("wait", x=np.array([number])))
            await exchange.feed(message, more=number < 2 or not is_whole)
        await until(lambda: instance.started == 3)
        await exchange.leave()
        await until(lambda: instance.ended == 3)
        await exchange.done()
        await made.settled()

    check()


@at_zoo
async def test_a_stream_that_is_cut_off_ends_with_a_status(made: World) -> None:
    exchange = grpc_exchange(made.gateway, f"{SERVICE}ModelStreamInfer")
    await exchange.feed(framed(request("add", a=np.array([1])))[:-2])
    assert grpc_reply(await exchange.done()).code == Code.INVALID_ARGUMENT
    large = b"\0" + struct.pack(">I", 2**20 + 1)
    exchange = grpc_exchange(made.gateway, f"{SERVICE}ModelStreamInfer")
    await exchange.feed(large)
    assert grpc_reply(await exchange.done()).code == Code.RESOURCE_EXHAUSTED
    await still_infers(made)


@at_zoo
async def test_a_deadline_ends_a_stream_and_its_calls(made: World) -> None:
    exchange = grpc_exchange(made.gateway, f"{SERVICE}ModelStreamInfer", [("grpc-timeout", "50m")])
    await exchange.feed(framed(request("wait", x=np.array([1]))), more=True)
    reply = grpc_reply(await exchange.done())
    assert (reply.code, reply.messages) == (Code.DEADLINE_EXCEEDED, [])
    await made.settled()


@at_zoo
async def test_more_requests_than_run_at_a_time_are_all_answered(made: World) -> None:
    instance = made.links.replicas["one"].instance
    exchange = grpc_exchange(made.gateway, f"{SERVICE}ModelStreamInfer")
    for number in range(100):
        await exchange.feed(framed(request("wait", x=np.array([number]))), more=True)
    await until(lambda: instance.started == 32)
    instance.go_on.set()
    await exchange.feed()
    assert len(responses(grpc_reply(await exchange.done()))) == 100


@at_zoo
async def test_a_client_that_leaves_while_its_requests_wait_for_others_ends_all(
    made: World,
) -> None:
    instance = made.links.replicas["one"].instance
    exchange = grpc_exchange(made.gateway, f"{SERVICE}ModelStreamInfer")
    for number in range(40):
        await exchange.feed(framed(request("wait", x=np.array([number]))), more=True)
    await until(lambda: instance.started == 32)
    await exchange.leave()
    await exchange.done()
    await until(lambda: instance.ended == 32)
    await made.settled()
    assert instance.started == 32


def test_names_are_read_whatever_stands_around_them() -> None:
    whole = pb.ModelInferRequest.FromString(request("m", version="v", number="i", rows=ROWS))
    assert names(whole.SerializeToString()) == Names("m", "v", "i")
    tail = pb.ModelInferRequest(model_name="other").SerializeToString()
    assert names(whole.SerializeToString() + tail).model == "other", "the last one counts"
    with pytest.raises(InvalidArgument, match="names no model"):
        names(b"\x2a\0" * 5000 + tail)


@pytest.mark.parametrize("name", ["model", "version"])
def test_names_are_not_of_any_length(name: str) -> None:
    longest = request(**{"model": "m", name: "n" * 256})
    assert getattr(names(longest), name) == "n" * 256
    with pytest.raises(InvalidArgument, match="name of more than 256 bytes"):
        names(request(**{"model": "m", name: "n" * 257}))


@at_zoo
async def test_a_request_with_a_name_of_any_length_is_not_given_back(made: World) -> None:
    (failed,) = responses(await stream(made, request("m" * 100_000)))
    assert failed.error_message == "the request has a name of more than 256 bytes"
    assert failed.ByteSize() < 100
