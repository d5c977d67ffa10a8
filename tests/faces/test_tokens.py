"""Who may use the gRPC face of a control plane that has a token."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import grpc
import grpc.aio
import pytest

from mesh import ControlClient
from mesh.access.contract import WANTED, WRONG
from mesh.cluster.local import LocalCluster
from mesh.faces.addresses import PlaneConfig
from mesh.faces.plane import ControlPlane
from mesh.link.watch import WATCH, Watch
from mesh.traffic.snapshot import Snapshot
from mesh.v1 import control_pb2, control_pb2_grpc, load_pb2, load_pb2_grpc, routing_pb2
from tests.faces.test_plane import HOST, document

TOKEN = "t0ken"
KEY = "the-key-of-an-upstream"
SHOWN = [("authorization", f"Bearer {TOKEN}")]
WRONGS: list[tuple[list[tuple[str, str]], str]] = [
    ([], WANTED),
    ([("authorization", "Bearer other")], WRONG),
    ([("authorization", TOKEN)], WANTED),
    ([("authorization", "Bearer ")], WANTED),
]


@pytest.fixture
def running() -> Iterator[ControlPlane]:
    """A plane with a deployment, and an endpoint that has an upstream with a key."""
    config = PlaneConfig("127.0.0.1", 0, "127.0.0.1", 0, token=TOKEN)
    plane = ControlPlane(config, lambda: LocalCluster(host=HOST))
    plane.start()
    plane.apply(document())
    with ControlClient(plane.start().http, TOKEN) as client:
        upstreams = [{"url": "https://example.com", "api_key": KEY}]
        client.endpoints.apply("front", {"deployments": {"d": 1}, "upstreams": upstreams})
    yield plane
    plane.stop()


@pytest.fixture
def channel(running: ControlPlane) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(running.start().grpc) as channel:
        yield channel


@pytest.mark.parametrize(("metadata", "why"), WRONGS)
def test_control_wants_the_token(
    channel: grpc.Channel, metadata: list[tuple[str, str]], why: str
) -> None:
    control: Any = control_pb2_grpc.ControlStub(channel)
    calls: list[Callable[[], Any]] = [
        lambda: control.Apply(
            control_pb2.ApplyRequest(deployment_json=document()), metadata=metadata
        ),
        lambda: control.Status(control_pb2.StatusRequest(), metadata=metadata),
        lambda: control.Delete(control_pb2.DeleteRequest(deployment="d"), metadata=metadata),
    ]
    for call in calls:
        with pytest.raises(grpc.RpcError) as failed:
            call()
        found: Any = failed.value
        assert (found.code(), found.details()) == (grpc.StatusCode.UNAUTHENTICATED, why)
    status = control.Status(control_pb2.StatusRequest(), metadata=SHOWN)
    assert [each.name for each in status.deployments] == ["d"]
    control.Delete(control_pb2.DeleteRequest(deployment="d"), metadata=SHOWN)


def watch(
    channel: grpc.Channel, deployment: str, metadata: list[tuple[str, str]]
) -> routing_pb2.Update:
    """The first update of a watch."""
    asking = channel.stream_stream(
        WATCH, routing_pb2.WatchRequest.SerializeToString, routing_pb2.Update.FromString
    )
    request = routing_pb2.WatchRequest(watcher="test", deployment=deployment)
    stream = asking(iter([request]), metadata=metadata, timeout=30)
    update: routing_pb2.Update = next(stream)
    stream.cancel()
    return update


@pytest.mark.parametrize(("metadata", "why"), WRONGS)
def test_the_whole_table_wants_the_token(
    channel: grpc.Channel, metadata: list[tuple[str, str]], why: str
) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        watch(channel, "", metadata)
    found: Any = failed.value
    assert (found.code(), found.details()) == (grpc.StatusCode.UNAUTHENTICATED, why)
    assert KEY.encode() in watch(channel, "", SHOWN).SerializeToString()


def test_what_replicas_follow_is_open_and_has_no_keys(channel: grpc.Channel) -> None:
    update = watch(channel, "d", [])
    assert [each.name for each in update.deployments] == ["d"]
    assert not update.endpoints
    assert KEY.encode() not in update.SerializeToString()


def test_reports_are_open(channel: grpc.Channel) -> None:
    loads: Any = load_pb2_grpc.LoadsStub(channel)
    assert loads.Report(load_pb2.LoadReport()).interval > 0


def test_a_change_of_keys_is_not_told_to_those_who_follow_one_deployment(
    running: ControlPlane, channel: grpc.Channel
) -> None:
    """Updates after the first one are differences, which are made in another way."""
    asking = channel.stream_stream(
        WATCH, routing_pb2.WatchRequest.SerializeToString, routing_pb2.Update.FromString
    )
    stream = asking(iter([routing_pb2.WatchRequest(watcher="test", deployment="d")]), timeout=30)
    seen = [next(stream)]
    with ControlClient(running.start().http, TOKEN) as client:
        upstreams = [{"url": "https://example.com", "api_key": KEY * 2}]
        client.endpoints.apply("front", {"deployments": {"d": 1}, "upstreams": upstreams})
    running.apply(document(replicas=3))
    while sum(len(s.replicas) for v in seen[-1].deployments[0].versions for s in v.services) < 3:
        seen.append(next(stream))
    stream.cancel()
    assert not any(update.endpoints for update in seen)
    assert not any(KEY.encode() in update.SerializeToString() for update in seen)


def test_a_gateway_follows_with_the_token_and_says_once_that_it_has_a_wrong_one(
    running: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        news: asyncio.Queue[Snapshot] = asyncio.Queue()
        tries: asyncio.Queue[float] = asyncio.Queue()

        async def pause(seconds: float) -> None:
            tries.put_nowait(seconds)
            await asyncio.sleep(0)

        address = running.start().grpc
        right = Watch(address, "right", news.put_nowait, Random(1), token=TOKEN)
        wrong = Watch(address, "wrong", news.put_nowait, Random(1), pause, token="other")
        right.start()
        async with asyncio.timeout(30):
            while "front" not in (snapshot := await news.get()).endpoints:
                pass
        assert snapshot.endpoints["front"].upstreams[0].api_key == KEY
        assert KEY not in repr(snapshot)
        await right.close()
        with caplog.at_level(logging.INFO, logger="mesh.link.watch"):
            wrong.start()
            async with asyncio.timeout(30):
                waits = [await tries.get() for _ in range(4)]
            await wrong.close()
        assert waits[3] > 2 * waits[0], "it asks less and less often"
        # gRPC has words of its own for two loops in one process.
        told = [each.getMessage() for each in caplog.records if each.name == "mesh.link.watch"]
        assert told == [f"wrong has no controller at {address}: {WRONG}"]
        assert news.empty()

    asyncio.run(main())
