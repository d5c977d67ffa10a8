"""A watcher and the controller's face, over real gRPC."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, Self

import grpc
import grpc.aio
import pytest

from mesh.control.latest import KEPT, Latest
from mesh.control.watchers import Watchers
from mesh.faces.grpc_face import Routing
from mesh.faces.updates import Updates
from mesh.link.watch import AWAY, LAG, WATCH, Watch
from mesh.ports import free_port
from mesh.traffic.snapshot import Deployment, Replica, Service, Snapshot, Version
from mesh.v1 import routing_pb2

PATIENCE = 30.0
"""Seconds after which a test that hangs fails."""
DOCS = bytes(200_000)


def deployment(name: str, *replicas: str) -> Deployment:
    found = tuple(Replica(each, "127.0.0.1:1") for each in replicas)
    service = Service("S", replicas=found, docs=DOCS, descriptors=DOCS)
    return Deployment(name, (Version(f"{name}-1", "main", "S", {"S": service}, 1),))


def table(number: int, *deployments: Deployment, epoch: int = 1) -> Snapshot:
    return Snapshot(epoch, number, {}, {each.name: each for each in deployments}, "a")


A, B = deployment("a", "a1"), deployment("b", "b1")


class Controller:
    """The routing face of a controller without anything behind it."""

    def __init__(self) -> None:
        self.snapshots: Latest[Snapshot] = Latest()
        self.watchers = Watchers()
        self.address = ""
        self.stop: Callable[[], Awaitable[None]]

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[Self]:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((Routing(self.snapshots, self.watchers).handler(),))
        self.address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
        self.stop = partial(server.stop, 0)
        await server.start()
        try:
            yield self
        finally:
            await self.stop()


class Script:
    """A controller that says what the test wants, and notes what it is told."""

    def __init__(self, *replies: list[routing_pb2.Update]) -> None:
        self._replies = iter(replies)
        self.asked: list[int] = []
        self.told: asyncio.Queue[int] = asyncio.Queue()

    async def _watch(self, requests: AsyncIterator[routing_pb2.WatchRequest], _: Any) -> Any:
        self.asked.append((await anext(aiter(requests))).number)
        for update in next(self._replies):
            yield update
        async for request in requests:
            self.told.put_nowait(request.number)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        watch = grpc.stream_stream_rpc_method_handler(
            self._watch,
            routing_pb2.WatchRequest.FromString,
            routing_pb2.Update.SerializeToString,
        )
        server = grpc.aio.server()
        handler = grpc.method_handlers_generic_handler("mesh.v1.Routing", {"Watch": watch})
        server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(0)


def update(old: Snapshot | None, new: Snapshot) -> routing_pb2.Update:
    return routing_pb2.Update.FromString(Updates().update(old, new))


@asynccontextmanager
async def asking(controller: Controller, **request: Any) -> AsyncIterator[Callable[[], Any]]:
    """Watches as `request` says; gives what reads the next update."""
    async with grpc.aio.insecure_channel(
        controller.address, options=[("grpc.max_receive_message_length", -1)]
    ) as channel:
        stream = channel.stream_stream(
            WATCH,
            routing_pb2.WatchRequest.SerializeToString,
            routing_pb2.Update.FromString,
        )()
        await stream.write(routing_pb2.WatchRequest(watcher="test", **request))
        yield stream.read
        stream.cancel()


@asynccontextmanager
async def following(address: str, **more: Any) -> AsyncIterator[tuple[Watch, Any]]:
    """A watch, and what waits for the snapshot of a number and epoch."""
    news: asyncio.Queue[Snapshot] = asyncio.Queue()

    async def until(number: int, epoch: int = 1) -> Snapshot:
        while True:
            snapshot = await news.get()
            if (snapshot.epoch, snapshot.number) == (epoch, number):
                return snapshot

    watch = Watch(address, "gateway/1", news.put_nowait, Random(1), **more)
    watch.start()
    try:
        yield watch, until
    finally:
        await watch.close()


def run(main: Any) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await main()

    asyncio.run(bounded())


def names(update: routing_pb2.Update) -> list[str]:
    return [each.name for each in update.deployments]


def test_the_whole_table_comes_first_and_then_what_changes() -> None:
    async def main() -> None:
        async with Controller().listening() as controller, asking(controller) as read:
            controller.snapshots.put(table(1, A, B))
            first = await read()
            assert (first.base, first.number, names(first)) == (0, 1, ["a", "b"])
            assert first.deployments[0].versions[0].services[0].docs == DOCS
            controller.snapshots.put(table(2, A, deployment("b", "b1", "b2")))
            second = await read()
            assert (second.base, second.number, names(second)) == (1, 2, ["b"])
            assert second.ByteSize() < 200
            (service,) = second.deployments[0].versions[0].services
            assert service.is_known
            assert [replica.id for replica in service.replicas] == ["b1", "b2"]
            controller.snapshots.put(table(3, A))
            third = await read()
            assert (third.base, list(third.gone_deployments), names(third)) == (2, ["b"], [])

    run(main)


def test_a_watcher_that_comes_back_gets_what_it_missed() -> None:
    async def main() -> None:
        async with Controller().listening() as controller:
            for number in range(1, 4):
                controller.snapshots.put(table(number, A, deployment("b", f"b{number}")))
            async with asking(controller, epoch=1, number=1) as read:
                missed = await read()
                assert (missed.base, missed.number, names(missed)) == (1, 3, ["b"])
            async with asking(controller, epoch=1, number=3) as read:
                controller.snapshots.put(table(4, A))
                assert (await read()).base == 3  # there was nothing before that to say

    run(main)


@pytest.mark.parametrize("epoch_and_number", [(2, 3), (1, 1), (1, 99)])
def test_a_watcher_whose_snapshot_is_not_known_gets_the_whole_table(
    epoch_and_number: tuple[int, int],
) -> None:
    async def main() -> None:
        epoch, number = epoch_and_number
        async with Controller().listening() as controller:
            for each in range(1, KEPT + 2):
                controller.snapshots.put(table(each, A, B))
            async with asking(controller, epoch=epoch, number=number) as read:
                assert (await read()).base == 0

    run(main)


def test_a_slow_reader_gets_all_that_it_missed_in_one_update() -> None:
    async def main() -> None:
        big = Service("S", docs=bytes(32 * 2**20))
        heavy = Deployment("c", (Version("c-1", "main", "S", {"S": big}, 1),))
        async with Controller().listening() as controller, asking(controller) as read:
            controller.snapshots.put(table(1, A, heavy))
            while not any(watcher.sent for watcher in controller.watchers):  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0)
            for number in range(2, 12):  # while nobody reads
                controller.snapshots.put(table(number, heavy, deployment("b", f"b{number}")))
            assert (await read()).number == 1
            merged = await read()
            assert (merged.base, merged.number) == (1, 11)
            assert (names(merged), list(merged.gone_deployments)) == (["b"], ["a"])
            controller.snapshots.put(table(12, heavy))
            assert (await read()).base == 11

    run(main)


def test_a_watcher_of_one_deployment_hears_of_no_other_and_gets_no_documents() -> None:
    async def main() -> None:
        async with (
            Controller().listening() as controller,
            asking(controller, deployment="b") as read,
            asking(controller, deployment="none") as read_nothing,
        ):
            controller.snapshots.put(table(1, A, B))
            first = await read()
            assert (first.base, names(first), first.ByteSize() < 200) == (0, ["b"], True)
            assert names(await read_nothing()) == []
            controller.snapshots.put(table(2, deployment("a", "a2"), B))
            for number in (3, 4):
                own = deployment("b", f"b{number}")
                controller.snapshots.put(table(number, deployment("a", "a2"), own))
                assert (await read()).base == {3: 1, 4: 3}[number]
            sent = {watcher.deployment: watcher.sent for watcher in controller.watchers}
            assert sent == {"b": 4, "none": 1}

    run(main)


def test_a_watch_keeps_the_objects_that_did_not_change() -> None:
    async def main() -> None:
        async with (
            Controller().listening() as controller,
            following(controller.address) as (_, until),
        ):
            controller.snapshots.put(table(1, A, B))
            first = await until(1)
            new = table(2, A, deployment("b", "b1", "b2"))
            controller.snapshots.put(new)
            second = await until(2)
            assert (first, second) == (table(1, A, B), new)
            assert second.deployments["a"] is first.deployments["a"]

    run(main)


def test_the_controller_knows_which_snapshot_each_watcher_routes_by() -> None:
    async def main() -> None:
        async with Controller().listening() as controller:
            watchers, snapshots = controller.watchers, controller.snapshots
            assert watchers.applied_by_all is None
            async with (
                following(controller.address) as (_, one),
                following(controller.address) as (_, two),
                following(controller.address, deployment="b") as (_, three),
            ):
                snapshots.put(table(1, A, B))
                await asyncio.gather(one(1), two(1), three(1))
                snapshots.put(table(2, A))
                await watchers.reached(2)
                assert [(each.name, each.applied) for each in watchers.of_all] == [
                    ("gateway/1", 2),
                    ("gateway/1", 2),
                ]
                assert repr(watchers) == "<Watchers 3, all route by 2>"
                waiting = asyncio.ensure_future(watchers.reached(3))
            await waiting  # there is nobody left to wait for
            assert watchers.applied_by_all is None

    run(main)


def test_a_watcher_that_comes_back_counts_with_what_it_has() -> None:
    async def main() -> None:
        async with Controller().listening() as controller:
            controller.snapshots.put(table(1, A))
            async with asking(controller, epoch=1, number=1):
                await asyncio.sleep(0)
                while not controller.watchers.of_all:  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(0)
                await controller.watchers.reached(1)

    run(main)


def test_a_watch_that_missed_a_snapshot_asks_for_the_whole_table() -> None:
    async def main() -> None:
        one, two, three = table(1, A), table(2, A, B), table(3, B)
        script = Script([update(None, one), update(two, three)], [update(None, three)])
        async with script.listening() as address, following(address) as (_, until):
            assert await until(1) == one
            assert await until(3) == three
            assert script.asked == [0, 0]
            assert [await script.told.get() for _ in range(2)] == [1, 3]

    run(main)


def test_a_controller_that_never_sends_the_whole_table_is_asked_with_pauses() -> None:
    async def main() -> None:
        paused = asyncio.Event()

        async def pause(_: float) -> None:
            paused.set()
            await asyncio.Event().wait()

        gap = update(table(1, A), table(2, B))
        script = Script([gap], [gap])
        async with script.listening() as address, following(address, pause=pause) as (watch, _):
            await paused.wait()
            assert script.asked == [0, 0]
            assert (watch.connected, watch.lag) == (False, AWAY)

    run(main)


def test_an_update_that_cannot_be_read_is_made_up_for_by_the_next() -> None:
    async def main() -> None:
        one, two, three = table(1, A), table(2, A, B), table(3, B)
        unreadable = update(one, two)
        unreadable.deployments[0].split_by = 99  # type: ignore[assignment]  # as of a later release
        script = Script([update(None, one), unreadable, update(two, three)], [update(None, three)])
        async with script.listening() as address, following(address) as (_, until):
            assert await until(1) == one
            assert await until(3) == three

    run(main)


def test_after_another_controller_came_the_table_is_its_own() -> None:
    async def main() -> None:
        port = free_port("127.0.0.1")
        async with (
            Controller().listening(port) as first,
            following(first.address) as (watch, until),
        ):
            first.snapshots.put(table(1, A, B))
            before = await until(1)
            first.snapshots.put(table(2, A))
            await until(2)
            await first.stop()
            second = Controller()
            # The same number, but in another epoch: nothing to make a difference from.
            second.snapshots.put(table(2, A, B, epoch=2))
            async with second.listening(port):
                after = await until(2, epoch=2)
                assert after == replace(before, number=2, epoch=2)
                assert after.deployments["a"] is before.deployments["a"]
                assert (watch.connected, watch.lag) == (True, LAG)
                await second.watchers.reached(2)

    run(main)
