"""What a replica does with a call."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from mesh.call import CALL, JSON, CallHead, CallKind
from mesh.clock import monotonic
from mesh.errors import Code, MeshError
from mesh.io.arguments import encode_call, encode_item
from mesh.io.value import from_value
from mesh.observe.logs import log_fields
from mesh.replica.admission import Admission
from mesh.replica.handler import Handler
from mesh.v1 import inference_pb2
from tests.link.rig import run, until
from tests.replica.bench import Bench, bench
from tests.replica.rig import Links, Running, snapshot, version
from tests.replica.services import LIMIT, THREADS, Brief, Narrow, Work

Test = Callable[[Bench], Coroutine[Any, Any, None]]


def at(service: type) -> Callable[[Test], Callable[[], None]]:
    """Runs an async test with one replica of a service, of whose calls nothing may be left."""

    def wrapper(test: Test) -> Callable[[], None]:
        def wrapped() -> None:
            async def main() -> None:
                async with bench(service) as made:
                    await test(made)

            run(main())

        wrapped.__name__ = test.__name__
        return wrapped

    return wrapper


at_work = at(Work)


@at_work
async def test_an_async_method_answers(made: Bench) -> None:
    assert await made.ask("double", {"x": 4}) == 8


@at_work
async def test_a_sync_method_runs_in_a_thread_of_the_pool(made: Bench) -> None:
    assert await made.ask("double_in_thread", {"x": 4}) == [8, "mesh-method"]


@at_work
async def test_generators_of_both_kinds_give_their_items(made: Bench) -> None:
    assert await made.items("count", {"n": 3}) == [0, 1, 2]
    assert await made.items("count_in_thread", {"n": 3}) == [0, 1, 2]
    assert made.instance.events == ["closed"]
    assert await made.items("count", {"n": 0}) == []


@at_work
async def test_sync_methods_share_a_bounded_number_of_threads(made: Bench) -> None:
    handler = made.handler
    handler.admission.limit = 0
    calls = [made.open("block") for _ in range(THREADS + 3)]
    gate = made.instance.gate
    await until(lambda: gate.entered == THREADS)
    assert handler.admission.taken == THREADS + 3
    gate.opened.set()
    for call in calls:
        assert await call.message() == b"1"
    assert gate.most == THREADS


@at_work
async def test_calls_over_max_concurrency_are_refused_at_once(made: Bench) -> None:
    held = [made.open("hang") for _ in range(LIMIT)]
    await until(lambda: made.instance.hanging == LIMIT)
    call = made.open("double", {"x": 1})
    with pytest.raises(MeshError) as failed:
        await call.reply()
    assert call.refused
    assert (failed.value.code, failed.value.status) == (Code.RESOURCE_EXHAUSTED, 429)
    assert failed.value.message == "Too many requests"
    assert failed.value.retry_after == 1.0
    for each in held:
        each.cancel()
    await made.settled()
    assert await made.ask("double", {"x": 1}) == 2


@at_work
async def test_a_sync_method_that_was_given_up_holds_its_place_until_it_returns(
    made: Bench,
) -> None:
    gate = made.instance.gate
    held = [made.open("block") for _ in range(LIMIT)]
    await until(lambda: gate.entered == LIMIT)
    for each in held:
        each.cancel()
    await until(lambda: made.handler.running == 0)
    assert made.handler.admission.taken == LIMIT
    with pytest.raises(MeshError) as failed:
        await made.ask("double", {"x": 1})
    assert failed.value.code is Code.RESOURCE_EXHAUSTED
    gate.opened.set()
    await made.settled()
    assert await made.ask("double", {"x": 1}) == 2


@at(Brief)
async def test_the_services_time_limit_cancels_a_method_and_says_how_long_it_was(
    made: Bench,
) -> None:
    call = made.open("hang")
    with pytest.raises(MeshError) as failed:
        await call.reply()
    assert failed.value.code is Code.DEADLINE_EXCEEDED
    assert failed.value.message == "Not able to process the request in 0.3 seconds"
    assert made.instance.events == ["cancelled"]


@at_work
async def test_the_callers_deadline_cancels_a_method_and_is_told_apart(made: Bench) -> None:
    call = made.open("hang", deadline=monotonic() + 0.1)
    with pytest.raises(MeshError) as failed:
        await call.reply()
    assert failed.value.code is Code.DEADLINE_EXCEEDED
    assert failed.value.message == "the deadline passed before the call was done"


@at_work
async def test_a_call_whose_deadline_has_passed_runs_nothing(made: Bench) -> None:
    call = made.open("hang", deadline=monotonic() - 1)
    with pytest.raises(MeshError) as failed:
        await call.reply()
    assert failed.value.code is Code.DEADLINE_EXCEEDED
    assert made.instance.hanging == 0


@at(Brief)
async def test_a_stream_that_has_begun_outlives_the_services_time_limit(made: Bench) -> None:
    assert await made.items("two_then_wait", {"seconds": 0.5}) == [1, 2]


@at_work
async def test_a_stream_that_has_begun_ends_with_the_callers_deadline(made: Bench) -> None:
    call = made.open("drip", {"items": 2}, deadline=monotonic() + 2)
    assert [await call.message(), await call.message()] == [b"0", b"1"]
    with pytest.raises(MeshError) as failed:
        await call.message()
    assert failed.value.code is Code.DEADLINE_EXCEEDED
    await made.settled()
    assert made.instance.events == ["closed"]


@pytest.mark.parametrize("method", ["crash", "crash_in_thread", "leave", "leave_in_thread"])
def test_an_exception_of_the_user_is_in_the_log_and_nowhere_else_and_the_replica_goes_on(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with bench(Work) as made:
            with pytest.raises(MeshError) as failed:
                await made.ask(method)
            assert failed.value.code is Code.INTERNAL
            text = "An unexpected error has occurred, please check the server log."
            assert failed.value.message == text
            assert await made.ask("double", {"x": 4}) == 8

    with caplog.at_level(logging.WARNING, "mesh.replica"):
        run(main())
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "the secret text" in caplog.text
    assert f"Work/{method} failed" in caplog.text


@at_work
async def test_a_result_of_the_wrong_type_is_a_fault_of_the_service(made: Bench) -> None:
    with pytest.raises(MeshError) as failed:
        await made.ask("wrong_type")
    assert failed.value.status == 500


@at_work
async def test_a_mesh_error_of_the_user_keeps_code_status_and_text(made: Bench) -> None:
    with pytest.raises(MeshError) as failed:
        await made.ask("told")
    error = failed.value
    assert (error.code, error.status, error.message) == (Code.ABORTED, 418, "as told")


@at_work
async def test_wrong_arguments_never_reach_the_method(made: Bench) -> None:
    with pytest.raises(MeshError) as failed:
        await made.ask("double", {"x": "text"})
    assert failed.value.code is Code.INVALID_ARGUMENT
    assert [each.path for each in failed.value.violations] == [("x",)]


@at_work
async def test_a_method_that_does_not_exist_is_unimplemented(made: Bench) -> None:
    for name in ("nothing", "_enter", "events"):
        with pytest.raises(MeshError) as failed:
            await made.ask(name)
        assert failed.value.code is Code.UNIMPLEMENTED


@at_work
async def test_a_context_tells_about_the_call_and_takes_status_and_headers(made: Bench) -> None:
    head: dict[str, Any] = {
        "metadata": (("x-tenant", "a"), ("x-tenant", "b")),
        "query": "q=1",
        "request_id": "r-1",
    }
    call = await made.start("look", **head)
    assert call.head is not None
    assert (call.head.http_status, call.head.media_type) == (201, "application/x-mine")
    assert call.head.metadata == (("x-a", "1"),)
    said = json.loads(await call.message() or b"")
    assert 0 < said.pop("left") <= 20
    assert said == {
        "method": "look",
        "header": "b",
        "query": "1",
        "id": "r-1",
        "deployment": "demo",
        "version": "main",
        "calls": 1,
    }
    assert (await made.ask("look", **head))["calls"] == 2


@at_work
async def test_a_client_stream_is_read_item_by_item(made: Bench) -> None:
    service = made.service()
    assert service.methods["total"].kind is CallKind.CLIENT_STREAM
    call, _ = await made.dispatcher.open(lambda: service, CallHead("total", CALL, CALL))
    await call.send(encode_call("total", {"start": 5}))
    for number in range(4):
        await call.send(encode_item(number))
    await call.send(b"", message_end=False, end=True)
    reply = inference_pb2.CallReply.FromString(await call.message() or b"")
    assert from_value(reply.value) == 11


@at_work
async def test_both_sides_of_a_bidirectional_call_go_in_step(made: Bench) -> None:
    call, _ = await made.dispatcher.open(made.service, CallHead("running", CALL, CALL))
    await call.send(encode_call("running", {}))
    for number, total in ((1, 1), (2, 3), (3, 6)):
        await call.send(encode_item(number))
        reply = inference_pb2.CallReply.FromString(await call.message() or b"")
        assert from_value(reply.value) == total
    await call.send(b"", message_end=False, end=True)
    assert await call.message() is None


@at_work
async def test_a_cancelled_call_cancels_the_users_coroutine(made: Bench) -> None:
    call = made.open("hang")
    await until(lambda: made.instance.hanging == 1)
    call.cancel()
    await made.settled()
    assert made.instance.events == ["cancelled"]


@at_work
async def test_a_cancelled_stream_closes_the_users_generator(made: Bench) -> None:
    call = await made.start("drip", {"items": 1})
    await until(lambda: made.instance.hanging == 1)
    call.cancel()
    await made.settled()
    call = await made.start("count_in_thread", {"n": 10**9})
    call.cancel()
    await made.settled()
    assert made.instance.events == ["closed", "closed"]


@at_work
async def test_a_method_that_will_not_be_cancelled_may_finish(made: Bench) -> None:
    assert await made.open("stubborn").message() == b"anyway"


@at_work
async def test_a_link_that_breaks_cancels_what_came_over_it(made: Bench) -> None:
    call = made.open("hang")
    await until(lambda: made.instance.hanging == 1)
    await made.running["Work"].die()
    with pytest.raises(MeshError) as failed:
        await call.reply()
    assert failed.value.code is Code.UNAVAILABLE
    await made.settled()
    assert made.instance.events == ["cancelled"]


@at_work
async def test_closing_the_handler_cancels_what_still_runs(made: Bench) -> None:
    call = made.open("hang")
    await until(lambda: made.instance.hanging == 1)
    handler: Handler = made.handler
    await handler.close()
    with pytest.raises(MeshError) as failed:
        await call.reply()
    assert failed.value.code is Code.CANCELLED
    assert handler.running == 0


@at_work
async def test_a_call_that_is_cancelled_before_its_first_step_gives_its_place_back(
    made: Bench,
) -> None:
    made.open("hang").cancel()  # start and cancel arrive in one batch
    assert await made.ask("double", {"x": 4}) == 8
    await until(lambda: not made.handler.running)
    assert made.handler.admission.taken == 0
    assert made.instance.hanging == 0


def test_calls_of_several_callers_that_wait_never_run_more_at_once_than_they_may() -> None:
    async def main() -> None:
        running = Running(Narrow(), "one")
        callers = [Links(running, seed=seed) for seed in range(3)]
        made = version(Narrow, {"Narrow": ("one",)})
        found = replace(made.services["Narrow"], queue_limit=100)
        for caller in callers:
            await caller.follow(snapshot(made))

        async def ask(caller: Links) -> bytes | None:
            call = await caller.dispatcher.ask(lambda: found, CallHead("step", JSON), b"{}")
            return await call.message()

        asked = [ask(caller) for caller in callers for _ in range(30)]
        assert set(await asyncio.gather(*asked)) == {b"1"}
        assert running.instance.most == 2
        for caller in callers:
            await caller.pool.close()
        await running.close()

    run(main())


def test_a_caller_that_was_refused_is_told_of_a_place_that_another_leaves() -> None:
    async def main() -> None:
        running = Running(Work(), "one")
        callers = [Links(running, seed=seed) for seed in range(2)]
        for caller in callers:
            await caller.follow(snapshot(version(Work, {"Work": ("one",)})))
        holder, other = (caller.pool.link("one") for caller in callers)
        assert holder is not None
        assert other is not None
        held = [holder.open(CallHead("hang", JSON), b"{}") for _ in range(LIMIT)]
        await until(lambda: running.handler.admission.taken == LIMIT)
        told: list[str] = []
        for waits in (False, True):
            refused = other.open(CallHead("double", JSON), b'{"x": 4}', waits=waits)
            with pytest.raises(MeshError, match="Too many requests"):
                await refused.reply()
        other.when_room(lambda: told.append("other"))
        held[0].cancel()
        await until(lambda: told)
        # The place is kept for who was told.
        with pytest.raises(MeshError, match="Too many requests"):
            await holder.open(CallHead("double", JSON), b'{"x": 4}').reply()
        assert await other.open(CallHead("double", JSON), b'{"x": 4}', waits=True).message() == b"8"
        for call in held:
            call.cancel()
        for caller in callers:
            await caller.pool.close()
        await running.close()

    run(main())


def test_a_place_is_free_again_when_its_last_holder_lets_go() -> None:
    admission = Admission(1)
    place = admission.admit()
    assert place is not None
    assert admission.admit() is None
    place.hold()
    place.release()
    assert admission.admit() is None
    place.release()
    assert admission.admit() is not None


@at_work
async def test_log_lines_of_a_method_carry_the_ids_of_its_request(made: Bench) -> None:
    seen: list[dict[str, str]] = []
    original = made.instance.double

    async def noting(x: int) -> int:
        seen.append(dict(log_fields.get()))
        return int(await original(x))

    method = made.handler._methods["double"]
    object.__setattr__(method, "func", noting)
    await made.ask("double", {"x": 1}, request_id="r-7")
    assert seen == [{"request_id": "r-7", "trace_id": ""}]
