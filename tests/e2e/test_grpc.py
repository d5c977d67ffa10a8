"""gRPC as clients of any language speak it: typed rpcs, reflection, health, through real Envoy."""

import base64
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from mesh.v1 import types_pb2
from tests.e2e.clients import PATIENCE, Deployed, eventually
from tests.e2e.conftest import Deploy
from tests.e2e.reflected import Reflected
from tests.e2e.services import LIMIT, Noted, Who

SHOP = "shop.v1.ShopService"


@pytest.fixture(scope="module")
def channel(shop: Deployed) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(shop.mesh.target) as made:
        yield made


@pytest.fixture(scope="module")
def typed(channel: grpc.Channel) -> Reflected:
    return Reflected(channel, SHOP)


def test_a_client_that_knows_nothing_calls_all_four_kinds_by_reflection(typed: Reflected) -> None:
    assert typed.call("Total", items=["a", "bc"]).result == 3.0
    assert [each.result for each in typed.stream("Count", n=3)] == [0, 1, 2]
    sent = [{"start": 1, "items": 2}, {"items": 3}]
    assert typed.send("Add", sent).result == 6
    assert [each.result for each in typed.send("Running", sent)] == [3, 6]


def test_a_stream_of_no_messages_is_empty(typed: Reflected) -> None:
    assert typed.send("Add", []).result == 0
    assert list(typed.send("Running", [])) == []


def test_an_array_travels_as_its_bytes(typed: Reflected) -> None:
    x = np.arange(8, dtype="<f4").reshape(2, 4)
    sent = {"data_type": types_pb2.DATA_TYPE_FLOAT32, "shape": [2, 4], "data": x.tobytes()}
    result = typed.call("Triple", x=sent).result
    assert list(result.shape) == [2, 4]
    np.testing.assert_array_equal(np.frombuffer(result.data, "<f4").reshape(2, 4), x * 3)


def test_a_field_that_the_service_does_not_know_is_no_error(channel: grpc.Channel) -> None:
    reply = channel.unary_unary(f"/{SHOP}/Total")(b"\x0a\x02ab\xfa\x3e\x03new\xc0\x3e\x07")
    assert reply == b"\x09" + np.float64(2).tobytes()


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe", b"\x0b"])
def test_a_message_that_is_none_is_invalid(channel: grpc.Channel, body: bytes) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary(f"/{SHOP}/Total")(body)
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_reflection_of_both_versions_lists_the_same_services(
    channel: grpc.Channel, typed: Reflected
) -> None:
    assert SHOP in typed.database.get_services()
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    ask = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    (reply,) = ask(iter([request.SerializeToString()]), metadata=[("mesh-endpoint", "shop")])
    listed = reflection_pb2.ServerReflectionResponse.FromString(reply).list_services_response
    assert [each.name for each in listed.service] == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "inference.GRPCInferenceService",
        "mesh.v1.Inference",
        SHOP,
    ]


def test_every_service_that_is_listed_can_be_described(typed: Reflected) -> None:
    pool = DescriptorPool(typed.database)
    for name in typed.database.get_services():
        assert pool.FindServiceByName(name).methods


def test_wrong_input_names_its_field_in_the_details(typed: Reflected) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        typed.call(
            "Triple", x={"data_type": types_pb2.DATA_TYPE_FLOAT32, "shape": [3], "data": bytes(12)}
        )
    error = failed.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    (details,) = [v for k, v in error.trailing_metadata() if k == "grpc-status-details-bin"]
    status = Status.FromString(details)
    assert (status.code, status.message) == (3, error.details())
    request = BadRequest()
    assert status.details[0].Unpack(request)
    assert [each.field for each in request.field_violations] == ["x"]


def test_a_message_over_the_limit_is_resource_exhausted_and_the_next_call_works(
    typed: Reflected,
) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        typed.call("Measure", text="a" * (LIMIT + 1))
    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert typed.call("Measure", text="abc").result == 3


@pytest.mark.parametrize("algorithm", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_client_may_compress_all_it_sends(shop: Deployed, algorithm: grpc.Compression) -> None:
    with grpc.insecure_channel(shop.mesh.target, compression=algorithm) as channel:
        typed = Reflected(channel, SHOP)
        assert typed.call("Measure", text="a" * 1_000_000).result == 1_000_000
        letters = typed.stream("Letters", word="abc" * 1000)
        assert "".join(each.result for each in letters) == "abc" * 1000
        with pytest.raises(grpc.RpcError) as failed:
            typed.call("Measure", text="a" * (LIMIT * 4))
        assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_metadata_and_trailers_go_both_ways_binary_ones_too(deploy: Deploy) -> None:
    with deploy(Noted, "noted") as deployed:
        sent = bytes(range(256))
        with grpc.insecure_channel(deployed.mesh.target) as channel:
            typed = Reflected(channel, "noted.v1.NotedService")
            reply, call = typed.rpc("Note").with_call(
                typed.message("Note"), metadata=[("x-key-bin", sent), ("x-user", "ada")]
            )
        assert reply.result == base64.b64encode(sent).decode()
        assert ("x-user", "ada") in list(call.initial_metadata())
        trailing = dict(call.trailing_metadata())
        assert (trailing["x-key-bin"], trailing["x-cost"]) == (sent[::-1], "3")


def test_health_follows_a_deployment_from_its_start_to_its_end(
    deploy: Deploy, channel: grpc.Channel
) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    name = "who.v1.WhoService"
    request = health_pb2.HealthCheckRequest(service=name)
    with pytest.raises(grpc.RpcError) as failed:
        stub.Check(request)
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(request, timeout=PATIENCE)
    status = health_pb2.HealthCheckResponse
    assert next(watch).status == status.SERVICE_UNKNOWN
    with deploy(Who, "who"):
        seen = next(watch).status
        while seen == status.NOT_SERVING:  # the table may come before the link
            seen = next(watch).status
        assert seen == status.SERVING
        # Another gateway may have this connection's next streams, and see a change later.
        eventually(lambda: stub.Check(request).status == status.SERVING)
        assert stub.Check(health_pb2.HealthCheckRequest()).status == status.SERVING
    while seen in (status.SERVING, status.NOT_SERVING):
        seen = next(watch).status
    assert seen == status.SERVICE_UNKNOWN
    watch.cancel()


@pytest.mark.parametrize(
    "path",
    ["/grpc.nope.v1.Nope/Nope", "/mesh.v1.Link/Open", "/mesh.v1.Routing/Watch", f"/{SHOP}/Nope"],
)
def test_a_path_that_is_reserved_or_unknown_is_unimplemented(
    channel: grpc.Channel, path: str
) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary(path)(b"")
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
