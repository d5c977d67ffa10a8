"""Clients that break the rules of HTTP/2 and gRPC, or use them to the end, on a real Envoy.

After each, the next call works and nothing of it runs on.
"""

import gzip
from collections.abc import Iterator

import pytest
from h2.settings import SettingCodes

from gateway.forward import MAX_FIELDS
from gateway.grpc_frames import framed
from mesh.errors import Code
from tests.e2e.clients import Deployed, eventually
from tests.e2e.raw_http2 import RawHttp2
from tests.e2e.services import LIMIT

TOTAL = "/shop.v1.ShopService/Total"
HANG = "/shop.v1.ShopService/Hang"
ADD = "/shop.v1.ShopService/Add"
REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
INFER = "/inference.GRPCInferenceService/ModelInfer"
INFER_STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
MESSAGE = framed(b"\x0a\x02ab")
INTERNAL_ERROR = 2


@pytest.fixture
def raw(shop: Deployed) -> Iterator[RawHttp2]:
    """A connection; what was done on it must leave the mesh as it was."""
    with RawHttp2(shop.mesh.target) as connection:
        yield connection
    still_serves(shop)


def still_serves(shop: Deployed) -> None:
    with RawHttp2(shop.mesh.target) as connection:
        assert answered(connection)
    eventually(lambda: _is_idle(shop), "no call runs")


def _is_idle(shop: Deployed) -> bool:
    counters = shop.http.post("/counters").json()
    return bool(counters["hanging"] == counters["cancelled"] + counters["below"])


def answered(connection: RawHttp2) -> bool:
    stream = connection.open(TOTAL)
    connection.send(stream, MESSAGE, end=True)
    return connection.reply(stream).grpc_status == 0


def test_a_call_on_a_raw_connection_is_answered(raw: RawHttp2) -> None:
    assert answered(raw)


def test_calls_that_wait_for_their_client_hold_up_nobody_and_end_with_it(
    raw: RawHttp2, shop: Deployed
) -> None:
    for path in (TOTAL, ADD, REFLECT):
        raw.open(path)  # and never sends a message
        raw.send(raw.open(path), b"\0\0\0")  # nor the rest of one
    assert answered(raw)


def test_calls_whose_rest_does_not_come_end_at_their_deadline(
    raw: RawHttp2, shop: Deployed
) -> None:
    raw.wait_settings()
    limit = ("grpc-timeout", "200m")
    streams = []
    for path in (TOTAL, ADD, REFLECT, INFER, INFER_STREAM):
        streams.append(raw.open(path, limit))
        streams.append(raw.open(path, limit))
        raw.send(streams[-1], b"\0\0\0")
    streams.append(raw.open(TOTAL, limit))
    raw.send(streams[-1], MESSAGE)  # and no end
    streams.append(raw.open(TOTAL, limit))
    # Of a message that is passed on as it comes, more than enough for that.
    raw.send(streams[-1], b"\0" + (2**20).to_bytes(4, "big"))
    raw.send_all(streams[-1], bytes(2**19), end=False)
    for stream in streams:
        assert raw.reply(stream).grpc_status == Code.DEADLINE_EXCEEDED


def test_a_client_that_goes_in_the_middle_of_a_stream_cancels_it(shop: Deployed) -> None:
    before = shop.http.post("/counters").json()
    with RawHttp2(shop.mesh.target) as connection:
        connection.send(connection.open(HANG), framed(b""), end=True)
        eventually(lambda: shop.http.post("/counters").json()["hanging"] > before["hanging"])
    eventually(lambda: shop.http.post("/counters").json()["cancelled"] > before["cancelled"])
    still_serves(shop)


def test_a_stream_that_is_reset_cancels_its_call_and_no_other(
    raw: RawHttp2, shop: Deployed
) -> None:
    before = shop.http.post("/counters").json()
    stream = raw.open(HANG)
    raw.send(stream, framed(b""), end=True)
    eventually(lambda: shop.http.post("/counters").json()["hanging"] > before["hanging"])
    raw.reset(stream)
    assert answered(raw)
    eventually(lambda: shop.http.post("/counters").json()["cancelled"] > before["cancelled"])


def test_as_many_streams_as_are_allowed_run_at_once_and_one_more_ends_the_connection(
    raw: RawHttp2,
) -> None:
    raw.wait_settings()
    most = raw.h2.remote_settings.max_concurrent_streams
    assert most == 1000
    streams = [raw.open(ADD, now=False) for _ in range(most)]
    raw.send(streams[-1], framed(b"\x08\x07"), end=True)
    assert raw.reply(streams[-1]).grpc_status == 0
    raw.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 2 * most
    raw.h2.remote_settings.acknowledge()  # the client takes no notice of what it was told
    raw.open(ADD)
    raw.reply(raw.open(ADD))
    assert raw.is_closed or raw.goaway is not None


def test_a_storm_of_resets_ends_the_connection_and_nothing_else(raw: RawHttp2) -> None:
    sent = 0
    while not raw.is_closed and raw.goaway is None:
        assert sent < 20_000
        for _ in range(50):
            raw.h2.reset_stream(raw.open(TOTAL, now=False), 8)
            sent += 1
        raw.flush()


def test_a_flood_of_pings_that_nobody_reads_the_answers_of_holds_up_nobody(
    raw: RawHttp2,
) -> None:
    for _ in range(200):
        for _ in range(500):
            raw.h2.ping(bytes(8))
        raw.flush()
        if raw.is_closed:  # which Envoy does when too many answers wait
            break


def test_pings_of_a_client_that_keeps_its_connection_alive_are_fine(raw: RawHttp2) -> None:
    for _ in range(200):
        raw.h2.ping(bytes(8))
        assert answered(raw)


def test_a_flood_of_fields_is_resource_exhausted_and_the_connection_goes_on(
    raw: RawHttp2,
) -> None:
    stream = raw.open(TOTAL, *((f"x-{number}", "v") for number in range(MAX_FIELDS + 1)))
    raw.send(stream, MESSAGE, end=True)
    assert raw.reply(stream).grpc_status == Code.RESOURCE_EXHAUSTED
    assert answered(raw)


def test_fields_larger_than_the_server_takes_reset_their_stream_only(raw: RawHttp2) -> None:
    stream = raw.open(TOTAL, *((f"x-{number}", "v" * 1000) for number in range(70)))
    assert raw.reply(stream).reset == INTERNAL_ERROR
    assert answered(raw)


def test_a_compressed_bomb_is_resource_exhausted(raw: RawHttp2) -> None:
    bomb = gzip.compress(bytes(200 * 2**20))
    assert len(bomb) < LIMIT
    stream = raw.open("/shop.v1.ShopService/Measure", ("grpc-encoding", "gzip"))
    raw.send_all(stream, framed(bomb, compressed=True))
    assert raw.reply(stream).grpc_status == Code.RESOURCE_EXHAUSTED
    assert answered(raw)


@pytest.mark.parametrize("body", [b"", MESSAGE[:3], MESSAGE[:-1], b"\x02" + MESSAGE[1:], b"hello"])
def test_a_body_that_is_cut_off_or_no_grpc_is_invalid(raw: RawHttp2, body: bytes) -> None:
    stream = raw.open(TOTAL)
    raw.send(stream, body, end=True)
    assert raw.reply(stream).grpc_status == Code.INVALID_ARGUMENT
    assert answered(raw)


def test_a_size_that_is_announced_and_too_large_is_refused_before_it_comes(raw: RawHttp2) -> None:
    stream = raw.open(TOTAL)
    raw.send(stream, b"\0" + (LIMIT + 1).to_bytes(4))
    assert raw.reply(stream).grpc_status == Code.RESOURCE_EXHAUSTED
    assert answered(raw)


@pytest.mark.parametrize("path", ["/grpc.reflection.v1.Nope/Nope", "/mesh.v1.Link/Open", "/", "/a"])
def test_a_reserved_or_broken_path_is_unimplemented(raw: RawHttp2, path: str) -> None:
    stream = raw.open(path)
    raw.send(stream, MESSAGE, end=True)
    assert raw.reply(stream).grpc_status == Code.UNIMPLEMENTED
    assert answered(raw)


def test_a_body_of_another_length_than_was_said_resets_its_stream_only(raw: RawHttp2) -> None:
    stream = raw.open(TOTAL, ("content-length", "3"))
    raw.send(stream, MESSAGE, end=True)
    assert raw.reply(stream).reset is not None
    assert answered(raw)


def test_bytes_that_are_no_http2_end_the_connection_and_nothing_else(raw: RawHttp2) -> None:
    raw._socket.sendall(b"\xff" * 1000)
    while not (raw.is_closed or raw.goaway is not None):
        raw.read()
