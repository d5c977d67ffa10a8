"""Every protocol through real Envoy, Ray actors and links."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator

import grpc
import httpx
import numpy as np
import pytest

from mesh.errors import Code, MeshError
from mesh.io.arguments import encode_call
from mesh.io.value import from_value
from mesh.v1 import inference_pb2, inference_pb2_grpc
from tests.e2e.clients import PATIENCE, Deployed, eventually
from tests.e2e.services import LIMIT
from tests.observe.otlp_server import OtlpServer, ReceivedSpan


def curl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["curl", "-sS", "-m", "20", *arguments], capture_output=True, text=True, check=False
    )


def test_a_graph_of_two_services_answers_over_http(shop: Deployed) -> None:
    reply = shop.http.post("/total", json={"items": ["a", "bc"]})
    assert (reply.status_code, reply.json()) == (200, 3.0)
    assert reply.http_version == "HTTP/1.1"
    assert reply.headers["x-mesh-version"] == "main"
    assert shop.http.post("/total_in_thread", json={"items": ["abc"]}).json() == 3.0
    assert shop.http.post("/triple", json={"x": [[1, 2, 3, 4]]}).json() == [[3, 6, 9, 12]]


def test_http_2_with_prior_knowledge_is_spoken_on_the_same_port(shop: Deployed) -> None:
    url = f"{shop.mesh.url}/e/shop/total"
    done = curl("--http2-prior-knowledge", "-w", " %{http_version}", "-d", '{"items":["x"]}', url)
    assert done.stdout == "1.0 2"


def test_head_and_get_of_health_are_answered(shop: Deployed) -> None:
    done = curl("-I", f"{shop.mesh.url}/livez")
    assert done.stdout.startswith("HTTP/1.1 200")
    assert shop.http.get("/readyz").status_code == 200
    done = curl("-I", f"{shop.mesh.url}/e/shop/total")
    assert (done.returncode, done.stdout.split()[1]) == (0, "405")
    assert "allow: POST" in done.stdout


def test_all_four_kinds_of_call_work_through_the_client(shop: Deployed) -> None:
    client = shop.grpc
    assert client.call("total", items=["a", "bc"]) == 3.0
    tripled = client.call("triple", x=np.ones((2, 4), np.float32))
    np.testing.assert_array_equal(tripled, np.full((2, 4), 3, np.float32))
    assert list(client.stream("count", n=4)) == [0, 1, 2, 3]
    assert list(client.stream("letters", word="abc")) == ["a", "b", "c"]
    assert client.send("add", range(5), start=1) == 11
    assert list(client.exchange("running", iter([1, 2, 3]), start=10)) == [11, 13, 16]
    assert client.describe().service == "Shop"


def test_all_four_kinds_of_call_work_through_the_generated_stub(shop: Deployed) -> None:
    metadata = [("x-mesh-endpoint", "shop")]
    with grpc.insecure_channel(shop.mesh.target) as channel:
        stub = inference_pb2_grpc.InferenceStub(channel)

        def first(method: str, **arguments: object) -> inference_pb2.CallRequest:
            return inference_pb2.CallRequest.FromString(encode_call(method, arguments))

        def items(method: str) -> Iterator[inference_pb2.CallRequest]:
            yield first(method)
            for number in (1, 2):
                item = inference_pb2.CallRequest()
                item.item.integer = number
                yield item

        reply = stub.Call(first("total", items=["abc"]), metadata=metadata)
        assert from_value(reply.value) == 3.0
        replies = stub.CallServerStream(first("count", n=2), metadata=metadata)
        assert [from_value(each.value) for each in replies] == [0, 1]
        assert stub.CallClientStream(items("add"), metadata=metadata).value.integer == 3
        replies = stub.CallBidiStream(items("running"), metadata=metadata)
        assert [each.value.integer for each in replies] == [1, 3]
        said = stub.Describe(inference_pb2.DescribeRequest(), metadata=metadata)
        assert json.loads(said.schema_json)["name"] == "Shop"


def test_the_replies_of_a_bidirectional_call_come_while_requests_go(shop: Deployed) -> None:
    go_on = threading.Semaphore(1)

    def numbers() -> Iterator[int]:
        for number in range(3):
            assert go_on.acquire(timeout=PATIENCE)
            yield number

    for reply in shop.grpc.exchange("running", numbers()):
        assert reply in (0, 1, 3)
        go_on.release()


def test_items_of_a_stream_are_chunks_of_their_own(shop: Deployed) -> None:
    with shop.http.stream("POST", "/count", json={"n": 4}) as reply:
        assert reply.headers["transfer-encoding"] == "chunked"
        assert list(reply.iter_raw()) == [b"0", b"1", b"2", b"3"]


def test_an_error_of_a_dependency_keeps_its_code_over_both_hops(shop: Deployed) -> None:
    reply = shop.http.post("/no_price", json={"item": "x"})
    assert (reply.status_code, reply.json()) == (404, {"error": "no price of x"})
    with pytest.raises(MeshError, match="no price of ü") as failed:
        shop.grpc.call("no_price", item="ü")
    assert failed.value.code is Code.NOT_FOUND


def test_a_body_that_breaks_midway_is_an_error_to_the_client(shop: Deployed) -> None:
    with shop.http.stream("POST", "/crumble", json={"after": 3}) as reply:
        assert reply.status_code == 200
        got = reply.iter_raw()
        assert [next(got), next(got), next(got)] == [b"0", b"1", b"2"]
        with pytest.raises(httpx.RemoteProtocolError):
            next(got)
    items = shop.grpc.stream("crumble", after=2)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(MeshError) as failed:
        next(items)
    assert failed.value.code is Code.INTERNAL
    assert "secret" not in failed.value.message


def test_a_body_over_the_limit_is_413(shop: Deployed) -> None:
    text = "a" * (LIMIT + 1)
    reply = shop.http.post("/measure", json={"text": text})
    assert reply.status_code == 413
    assert reply.json()["error"] == f"the request body has more than {LIMIT} bytes"
    with pytest.raises(MeshError) as failed:
        shop.grpc.call("measure", text=text)
    assert failed.value.code is Code.RESOURCE_EXHAUSTED
    fits = "a" * (LIMIT - 100)
    assert shop.http.post("/measure", json={"text": fits}).json() == len(fits)
    assert shop.grpc.call("measure", text=fits) == len(fits)


def test_an_upload_in_chunks_arrives_whole(shop: Deployed) -> None:
    def parts() -> Iterator[bytes]:
        yield b'{"text": "'
        for _ in range(30):
            yield b"a" * 50_000
        yield b'"}'

    assert shop.http.post("/measure", content=parts()).json() == 1_500_000


def test_a_stream_that_is_read_slowly_is_held_back_and_not_refused(shop: Deployed) -> None:
    items = (bytes(500_000) for _ in range(40))
    assert shop.grpc.send("slowly", items) == 20_000_000


def test_a_deadline_ends_a_call_with_504_or_deadline_exceeded(shop: Deployed) -> None:
    with pytest.raises(MeshError) as failed:
        shop.grpc.call("wait", seconds=20.0, timeout=0.3)
    assert failed.value.code is Code.DEADLINE_EXCEEDED


def test_a_request_without_a_body_that_takes_long_holds_nobody_up(shop: Deployed) -> None:
    before = shop.http.post("/counters").json()["hanging"]
    url = f"{shop.mesh.url}/e/shop/hang"
    slow = subprocess.Popen(["curl", "-s", "-m", "20", "-X", "POST", url])
    try:
        # Both gateways answer, whichever of them has the slow one.
        eventually(lambda: shop.http.post("/counters").json()["hanging"] > before)
        for _ in range(10):
            assert httpx.post(f"{shop.mesh.url}/e/shop/count", json={"n": 1}).status_code == 200
    finally:
        slow.kill()
        slow.wait()


@pytest.mark.parametrize("method", ["hang", "drip"])
def test_a_client_that_disconnects_cancels_the_users_coroutine(shop: Deployed, method: str) -> None:
    before = shop.http.post("/counters").json()
    body = b"{}"
    with socket.create_connection(shop.mesh.target.split(":")) as connection:  # type: ignore[arg-type]
        connection.sendall(
            f"POST /e/shop/{method} HTTP/1.1\r\nhost: x\r\n".encode()
            + f"content-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        hanging = before["hanging"] + 1
        eventually(lambda: shop.http.post("/counters").json()["hanging"] == hanging)
    eventually(lambda: shop.http.post("/counters").json()["cancelled"] > before["cancelled"])


def test_a_cancelled_grpc_call_reaches_the_dependencys_coroutine(shop: Deployed) -> None:
    before = shop.http.post("/counters").json()
    with grpc.insecure_channel(shop.mesh.target) as channel:
        call = channel.unary_unary("/mesh.v1.Inference/Call").future(
            encode_call("hang_below", {}), metadata=[("x-mesh-endpoint", "shop")]
        )
        hanging = before["hanging"] + 1
        eventually(lambda: shop.http.post("/counters").json()["hanging"] == hanging)
        call.cancel()
        eventually(lambda: shop.http.post("/counters").json()["below"] > before["below"])


def test_a_trace_is_one_tree_from_the_client_to_the_dependency(
    shop: Deployed, collector: OtlpServer
) -> None:
    for number, call in enumerate((_traced_http, _traced_grpc), 1):
        trace, parent = f"{number:032x}", f"{number:016x}"
        call(shop, f"00-{trace}-{parent}-01")

        def ours(trace: str = trace) -> list[ReceivedSpan]:
            return [span for span in collector.spans if span.trace_id == trace]

        eventually(lambda: len(ours()) >= 4, "four spans")
        chain = [(span.kind, span.service, span.name) for span in _chain(ours(), parent)]
        assert chain == [
            ("server", "mesh-gateway", "Shop/total"),
            ("server", "Shop", "Shop/total"),
            ("client", "Shop", "Prices/price"),
            ("server", "Prices", "Prices/price"),
        ]


def _traced_http(shop: Deployed, traceparent: str) -> None:
    headers = {"traceparent": traceparent}
    assert shop.http.post("/total", json={"items": ["x"]}, headers=headers).status_code == 200


def _traced_grpc(shop: Deployed, traceparent: str) -> None:
    metadata = {"traceparent": traceparent}
    assert shop.grpc.call_with("total", {"items": ["x"]}, metadata=metadata)[0] == 1.0


def _chain(spans: list[ReceivedSpan], parent: str) -> Iterator[ReceivedSpan]:
    """The spans from parent to child; fails unless each has one child at most."""
    left = list(spans)
    while left:
        (span,) = [each for each in left if each.parent_id == parent]
        left.remove(span)
        parent = span.span_id
        yield span


def test_metrics_of_the_gateway_name_the_deployment(shop: Deployed) -> None:
    shop.http.post("/total", json={"items": []})
    text = eventually(
        lambda: (found := httpx.get(f"{shop.mesh.url}/metrics").text).count('"shop"') and found
    )
    assert "mesh_requests_total{" in text
