"""Links that stay in one machine: found by address, trusted by user, else gRPC."""

import asyncio
import os
from struct import pack
from uuid import uuid4

import pytest
from hypothesis import given, strategies as st

from mesh.errors import Unavailable
from mesh.link.nearby import NearbyServer, NearbyTransport, connect_nearby
from mesh.link.reach import Listener, connect
from mesh.link.transport import GrpcCallerTransport, Transport
from mesh.ports import free_port
from tests.link.rig import run


async def greet(transport: Transport) -> None:
    await transport.write(b"hello")
    while await transport.read() is not None:
        pass


def test_a_replica_on_this_machine_is_reached_nearby_and_one_without_socket_by_grpc() -> None:
    async def main() -> None:
        listener = Listener(greet)
        address = await listener.start("127.0.0.1")
        for target, kind in (
            (address, NearbyTransport),
            (address.replace("127.0.0.1", "localhost"), GrpcCallerTransport),
        ):
            near = await connect(target)
            assert type(near) is kind
            assert await near.read() == b"hello"
            await near.close()
        await listener.stop(grace=1.0)

    run(main())


def test_an_address_where_nobody_listens_is_unavailable() -> None:
    async def main() -> None:
        listener = Listener(greet)
        address = await listener.start("127.0.0.1")
        await listener.stop()
        assert await connect_nearby(address) is None
        with pytest.raises(Unavailable):
            await connect(address)

    run(main())


def test_a_socket_of_another_user_is_not_trusted() -> None:
    async def main() -> None:
        address = f"test:{uuid4()}"
        server = NearbyServer(greet)
        await server.start(address)
        assert await connect_nearby(address, user=os.geteuid() + 1) is None
        near = await connect_nearby(address)
        assert near is not None
        await near.close()
        await server.stop()

    run(main())


def test_a_name_that_is_taken_leaves_grpc() -> None:
    async def main() -> None:
        port = free_port("127.0.0.1")
        other = NearbyServer(greet)
        await other.start(f"127.0.0.1:{port}")
        with pytest.raises(Unavailable):
            await NearbyServer(greet).start(f"127.0.0.1:{port}")
        listener = Listener(greet)
        assert await listener.start("127.0.0.1", port) == f"127.0.0.1:{port}"
        near = await GrpcCallerTransport.connect(f"127.0.0.1:{port}")
        assert await near.read() == b"hello"
        await near.close()
        await listener.stop(grace=1.0)
        await other.stop()

    run(main())


@given(
    st.lists(st.binary(max_size=300), max_size=8),
    st.lists(st.integers(1, 200), max_size=20),
)
def test_batches_come_whole_however_the_bytes_are_cut(
    batches: list[bytes], cuts: list[int]
) -> None:
    async def main() -> None:
        link = NearbyTransport()
        stream = b"".join(pack("<I", len(batch)) + batch for batch in batches)
        for cut in [*cuts, len(stream)]:
            piece, stream = stream[:cut], stream[cut:]
            link.data_received(piece)
        link.connection_lost(None)
        assert [await link.read() for _ in batches] == batches
        assert await link.read() is None

    asyncio.run(main())


def test_a_length_that_no_batch_has_breaks_the_link() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def on_link(transport: Transport) -> None:
            assert await transport.read() is None
            ended.set()

        address = f"test:{uuid4()}"
        server = NearbyServer(on_link)
        await server.start(address)
        reader, writer = await asyncio.open_unix_connection(f"\0mesh-link-{address}")
        writer.write(b"\xff" * 8)
        await ended.wait()
        assert await reader.read() == b""
        writer.close()
        await server.stop()

    run(main())
