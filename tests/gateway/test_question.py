"""Questions of the gateway's own: what becomes of one that nobody answers."""

import asyncio
from contextlib import suppress

import pytest

from gateway.question import Questions
from mesh.clock import monotonic
from mesh.errors import DeadlineExceeded
from mesh.traffic.snapshot import Service
from tests.gateway.rig import World, in_world
from tests.link.rig import until


def asked(made: World, method: str, *, patience: float = 3600.0) -> asyncio.Future[bytes]:
    dispatcher = made.links.dispatcher
    service: Service = dispatcher.snapshot.deployments["demo"].versions[0].services["Demo"]
    questions = Questions(dispatcher, monotonic)
    return asyncio.ensure_future(
        questions.ask(service, method, request_id="1", patience=patience, body=b"{}")
    )


@in_world
async def test_one_that_is_given_up_ends_at_the_replica(made: World) -> None:
    asking = asked(made, "hang")
    await until(lambda: made.demo.started)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    await until(lambda: made.demo.cancelled)
    await made.still_serves()


@in_world
async def test_one_that_takes_too_long_ends_at_the_replica(made: World) -> None:
    with pytest.raises(DeadlineExceeded):
        await asked(made, "hang", patience=0.05)
    await until(lambda: made.demo.cancelled == made.demo.started)
    await made.still_serves()


@in_world
async def test_what_follows_an_answer_is_not_waited_for(made: World) -> None:
    assert await asked(made, "drip") == b"1"
    await made.settled()
    await made.still_serves()
