"""What every transport promises, in memory and over gRPC and nearby."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import get_args

import pytest

from mesh.errors import Unavailable
from mesh.link.transport import GrpcCallerTransport, LinkServer, Transport, memory_pair
from tests.link.rig import BLOCK, run
from tests.link.service import Kind, connected

both = pytest.mark.parametrize("kind", get_args(Kind))
listening = pytest.mark.parametrize("kind", ["grpc", "nearby"])


@asynccontextmanager
async def pair(kind: Kind) -> AsyncIterator[tuple[Transport, Transport]]:
    """A caller's and a replica's end."""
    if kind == "memory":
        yield memory_pair()
        return
    arrived: asyncio.Future[Transport] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def on_link(transport: Transport) -> None:
        await transport.write(b"hello")
        arrived.set_result(transport)
        await done.wait()

    near, stop = await connected(kind, on_link)
    assert await near.read() == b"hello"
    try:
        yield near, await arrived
    finally:
        done.set()
        await near.close()
        await stop()


@both
def test_batches_arrive_whole_and_in_order_both_ways(kind: Kind) -> None:
    async def main() -> None:
        batches = [b"small", BLOCK, b"x" * 1000]
        async with pair(kind) as (near, far):
            for one, other in (near, far), (far, near):
                for batch in batches:
                    _, read = await asyncio.gather(one.write(batch), other.read())
                    assert read == batch

    run(main())


@both
def test_a_write_waits_when_the_other_end_does_not_read(kind: Kind) -> None:
    async def main() -> None:
        async with pair(kind) as (near, far):
            writing = asyncio.ensure_future(write_many(near))
            for _ in range(5):
                assert await far.read() == BLOCK
            assert not writing.done()
            writing.cancel()
            await asyncio.wait([writing])

    async def write_many(transport: Transport) -> None:
        for _ in range(200):
            await transport.write(BLOCK)

    run(main())


@both
def test_when_the_caller_closes_the_replica_reads_the_end(kind: Kind) -> None:
    async def main() -> None:
        async with pair(kind) as (near, far):
            reading = asyncio.ensure_future(far.read())
            await near.close()
            await near.close()
            assert await reading is None

    # Over gRPC the handler of the stream is cancelled besides, which ends the read as well.
    run(main())


@both
def test_a_write_to_a_link_that_is_closed_fails_as_unavailable(kind: Kind) -> None:
    async def main() -> None:
        async with pair(kind) as (near, _):
            await near.close()
            with pytest.raises(Unavailable):
                await near.write(b"late")

    run(main())


@listening
def test_what_was_written_before_the_replica_ended_the_link_is_read_before_the_end(
    kind: Kind,
) -> None:
    async def main() -> None:
        async def on_link(transport: Transport) -> None:
            for batch in b"one", b"two":
                await transport.write(batch)

        near, stop = await connected(kind, on_link)
        assert [await near.read() for _ in range(3)] == [b"one", b"two", None]
        assert await near.read() is None
        with pytest.raises(Unavailable):
            await near.write(b"late")
        await near.close()
        await stop()

    run(main())


@listening
def test_a_server_that_stops_ends_its_links_for_both(kind: Kind) -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def on_link(transport: Transport) -> None:
            try:
                await transport.write(b"hello")
                while await transport.read() is not None:
                    pass
            finally:
                ended.set()

        near, stop = await connected(kind, on_link)
        assert await near.read() == b"hello"
        await stop()
        assert await near.read() is None
        await ended.wait()
        await near.close()

    run(main())


def test_an_address_where_nobody_listens_is_unavailable() -> None:
    async def main() -> None:
        server = LinkServer(lambda _: asyncio.sleep(0))
        port = await server.start("127.0.0.1")
        await server.stop()
        with pytest.raises(Unavailable, match=f"cannot reach the replica at 127.0.0.1:{port}"):
            await GrpcCallerTransport.connect(f"127.0.0.1:{port}")

    run(main())


def test_a_port_that_is_taken_cannot_be_listened_on() -> None:
    async def main() -> None:
        first, second = (LinkServer(lambda _: asyncio.sleep(0)) for _ in range(2))
        port = await first.start("127.0.0.1")
        with pytest.raises(Unavailable, match="cannot listen"):
            await second.start("127.0.0.1", port)
        await first.stop()
        await second.stop()

    run(main())


def test_a_connection_that_is_given_up_leaves_nothing() -> None:
    async def main() -> None:
        async def on_link(_: Transport) -> None:
            await asyncio.get_running_loop().create_future()  # never says hello

        server = LinkServer(on_link)
        port = await server.start("127.0.0.1")
        connecting = asyncio.ensure_future(GrpcCallerTransport.connect(f"127.0.0.1:{port}"))
        await asyncio.sleep(0)
        connecting.cancel()
        await asyncio.wait([connecting])
        assert connecting.cancelled()
        await server.stop()

    run(main())
