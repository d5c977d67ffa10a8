"""The two ends of a link on an event loop, in memory and over gRPC and nearby."""

import asyncio
from typing import get_args

import pytest

from mesh.call import CallHead, ReplyHead
from mesh.clock import monotonic
from mesh.errors import Cancelled, Code, Internal, MeshError, Unavailable
from mesh.link.call import CallerCall
from mesh.link.ends import CallerLink, ReplicaEnd
from mesh.link.frames import WINDOW
from mesh.link.transport import memory_pair
from tests.link.rig import BLOCK, PATIENCE, run, until
from tests.link.service import Kind, Methods, serving

both = pytest.mark.parametrize("kind", get_args(Kind))


async def read_all(call: CallerCall) -> list[bytes]:
    messages = []
    while (message := await call.message()) is not None:
        messages.append(message)
    return messages


async def echo(link: CallerLink, body: bytes) -> bytes | None:
    call = link.open(CallHead("echo"), body)
    await call.reply()
    return await call.message()


@both
def test_a_unary_call_is_answered(kind: Kind) -> None:
    async def main() -> None:
        async with serving(kind, Methods()) as (link, _):
            call = link.open(CallHead("echo"), b"ping")
            assert await call.reply() == ReplyHead("x/echo")
            assert await read_all(call) == [b"ping"]

    run(main())


@both
def test_a_server_stream_arrives_item_by_item(kind: Kind) -> None:
    async def main() -> None:
        async with serving(kind, Methods()) as (link, _):
            call = link.open(CallHead("count"), b"100")
            assert (await call.reply()).stream
            assert await read_all(call) == [str(item).encode() for item in range(100)]

    run(main())


@both
def test_a_client_stream_is_read_to_its_end(kind: Kind) -> None:
    async def main() -> None:
        async with serving(kind, Methods()) as (link, _):
            call = link.open(CallHead("join"), message_end=False, end=False)
            for item in b"a", b"b", b"c":
                await call.send(item)
            await call.send(b"", message_end=False, end=True)
            assert await read_all(call) == [b"abc"]

    run(main())


@both
def test_both_sides_stream_at_the_same_time(kind: Kind) -> None:
    async def main() -> None:
        async with serving(kind, Methods()) as (link, _):
            call = link.open(CallHead("chat"), message_end=False, end=False)
            for item in b"one", b"two", b"three":
                await call.send(item)
                assert await call.message() == item
            await call.send(b"", message_end=False, end=True)
            assert await call.message() is None

    run(main())


@both
def test_a_body_of_many_windows_arrives_whole_both_ways(kind: Kind) -> None:
    async def main() -> None:
        async with serving(kind, Methods()) as (link, _):
            assert await echo(link, BLOCK * 3) == BLOCK * 3

    run(main())


@both
def test_200_calls_at_once_are_all_answered_with_their_own_reply(kind: Kind) -> None:
    async def main() -> None:
        async with serving(kind, Methods()) as (link, _):
            bodies = [BLOCK[n : n + n * 1000] for n in range(200)]
            assert await asyncio.gather(*(echo(link, body) for body in bodies)) == bodies

    run(main())


@both
def test_a_sender_waits_for_a_reader_that_is_slow_and_others_do_not(kind: Kind) -> None:
    async def main() -> None:
        async with serving(kind, Methods()) as (link, _):
            slow = link.open(CallHead("pour"))
            await slow.reply()
            assert await echo(link, b"quick") == b"quick"
            received = 0
            while received < 5 * WINDOW:
                piece = await slow.piece()
                assert piece is not None
                received += len(piece.data)
            slow.cancel()

    run(main())


def test_a_sender_goes_on_when_no_more_than_a_window_is_queued_though_nobody_reads() -> None:
    async def main() -> None:
        async with serving("memory", Methods()) as (link, _):
            call = link.open(CallHead("hang"), message_end=False, end=False)
            await call.send(BLOCK[: WINDOW + WINDOW // 2])
            assert 0 < call.outgoing.queued <= WINDOW
            call.cancel()

    run(main())


@both
def test_a_cancelled_call_cancels_its_method(kind: Kind) -> None:
    async def main() -> None:
        methods = Methods()
        async with serving(kind, methods) as (link, end):
            call = link.open(CallHead("hang"))
            await until(lambda: methods.started)
            call.cancel()
            with pytest.raises(Cancelled):
                await call.reply()
            await until(lambda: methods.cancelled)
            assert link.in_flight == end.in_flight == 0
            assert await echo(link, b"next") == b"next"

    run(main())


@both
def test_a_cancelled_call_wakes_its_reader_and_its_writer(kind: Kind) -> None:
    async def main() -> None:
        async with serving(kind, Methods()) as (link, _):
            call = link.open(CallHead("hang"), message_end=False, end=False)
            reader = asyncio.ensure_future(call.reply())
            writer = asyncio.ensure_future(call.send(BLOCK))
            await until(lambda: call.outgoing.on_room is not None)
            call.cancel(Internal("enough"))
            with pytest.raises(Internal, match="enough"):
                await reader
            await writer

    run(main())


def test_a_reader_that_was_cancelled_does_not_deafen_the_next() -> None:
    async def main() -> None:
        methods = Methods()
        async with serving("memory", methods) as (link, _):
            call = link.open(CallHead("wait"), b"ping")
            first = asyncio.ensure_future(call.reply())
            await until(lambda: methods.started)
            first.cancel()
            second = asyncio.ensure_future(call.message())
            await asyncio.wait([first])
            methods.go_on.set()
            assert await second == b"ping"

    run(main())


@both
def test_a_failure_reaches_the_caller(kind: Kind) -> None:
    async def main() -> None:
        async with serving(kind, Methods()) as (link, _):
            with pytest.raises(MeshError, match="as told") as caught:
                await link.open(CallHead("fail")).reply()
            assert caught.value.code is Code.INTERNAL

    run(main())


@both
def test_calls_end_when_the_caller_closes_the_link(kind: Kind) -> None:
    async def main() -> None:
        methods = Methods()
        async with serving(kind, methods) as (link, _):
            call = link.open(CallHead("hang"))
            await until(lambda: methods.started)
            await link.close()
            assert not link.is_usable
            with pytest.raises(Unavailable):
                await call.reply()
            assert call.is_lost
            assert not call.refused
            await until(lambda: methods.cancelled)
            with pytest.raises(Unavailable):
                link.open(CallHead("echo"))

    run(main())


def test_a_link_that_is_closed_before_it_ran_closes_its_transport() -> None:
    async def main() -> None:
        near, far = memory_pair()
        await CallerLink(near, monotonic).close()
        with pytest.raises(Unavailable):
            await far.write(b"")

    run(main())


@both
def test_a_caller_that_breaks_the_rules_loses_its_link_and_nobody_else_does(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        methods = Methods()
        async with serving(kind, methods) as (link, end):
            near, far = memory_pair()
            other = asyncio.ensure_future(end.serve(far))
            await near.write(b"\xff\xff\xff")
            while await near.read() is not None:
                pass
            await other
            assert await echo(link, b"ping") == b"ping"

    run(main())
    assert "a link was broken off" in caplog.text


# Drain and retire


@both
def test_a_drain_waits_for_running_calls_and_their_answers_are_written(kind: Kind) -> None:
    async def main() -> None:
        methods = Methods()
        async with serving(kind, methods) as (link, end):
            call = link.open(CallHead("wait"), BLOCK)
            await until(lambda: methods.started)
            drain = asyncio.ensure_future(end.drain(PATIENCE))
            await until(lambda: not link.is_usable)
            assert not drain.done()
            methods.go_on.set()
            assert await asyncio.gather(drain, call.message()) == [True, BLOCK]
            with pytest.raises(Unavailable):
                link.open(CallHead("echo"))

    run(main())


def test_a_drain_refuses_calls_that_were_on_their_way() -> None:
    async def main() -> None:
        methods = Methods()
        async with serving("memory", methods) as (link, end):
            await until(lambda: end._sessions)
            call = link.open(CallHead("echo"), b"ping")
            assert await end.drain(PATIENCE)
            with pytest.raises(MeshError, match="no new calls"):
                await call.reply()
            assert call.refused
            assert not methods.started

    run(main())


@both
def test_a_drain_gives_up_after_its_grace(kind: Kind) -> None:
    async def main() -> None:
        methods = Methods()
        async with serving(kind, methods) as (link, end):
            call = link.open(CallHead("hang"))
            await until(lambda: methods.started)
            assert not await end.drain(0.0)
            end.break_off(Unavailable("stopping"))
            with pytest.raises(MeshError, match="stopping"):
                await call.reply()
            for task in methods.tasks:
                task.cancel()

    run(main())


def test_a_drain_ends_when_the_link_breaks_that_it_waits_for() -> None:
    async def main() -> None:
        methods = Methods()
        async with serving("memory", methods) as (link, end):
            link.open(CallHead("hang"))
            await until(lambda: methods.started)
            drain = asyncio.ensure_future(end.drain(PATIENCE))
            await until(lambda: not link.is_usable)
            await link.close()
            assert await drain

    run(main())


def test_a_link_that_opens_to_a_draining_replica_is_told_so_at_once() -> None:
    async def main() -> None:
        end = ReplicaEnd(monotonic, Methods().take)
        assert await end.drain(PATIENCE)
        near, far = memory_pair()
        server = asyncio.ensure_future(end.serve(far))
        link = CallerLink(near, monotonic)
        await until(lambda: not link.is_usable)
        await link.close()
        await server

    run(main())


@both
def test_a_retired_link_takes_no_calls_and_closes_after_its_last(kind: Kind) -> None:
    async def main() -> None:
        methods = Methods()
        async with serving(kind, methods) as (link, _):
            call = link.open(CallHead("wait"), b"ping")
            await until(lambda: methods.started)
            link.retire()
            with pytest.raises(Unavailable):
                link.open(CallHead("echo"))
            assert not link.closed.done()
            methods.go_on.set()
            assert await call.message() == b"ping"
            await link.closed

    run(main())


@both
def test_a_retired_link_without_calls_closes_at_once(kind: Kind) -> None:
    async def main() -> None:
        async with serving(kind, Methods()) as (link, _):
            link.retire()
            await link.closed

    run(main())
