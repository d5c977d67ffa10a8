"""Replies that take longer than their clients wait."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from starlette.responses import StreamingResponse

from mesh.errors import FailedPrecondition
from mesh.faces.cloud.releases.patience import SIGN, patiently
from mesh.faces.cloud.wire.base import Label, Wire

SOON = 0.01
LATE = 60.0


class Said(Wire):
    """A reply."""

    labels: tuple[Label, ...] = ()


SAID = Said(labels=(Label(key="a", value="b"),))


def test_what_is_there_soon_is_an_ordinary_reply() -> None:
    async def work() -> Said:
        return SAID

    async def refused() -> Said:
        raise FailedPrecondition("no")

    async def main() -> None:
        assert await patiently(work(), LATE) == SAID
        with pytest.raises(FailedPrecondition):
            await patiently(refused(), LATE)

    asyncio.run(main())


def test_what_takes_long_shows_signs_of_life_and_is_json_in_the_end() -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        async def work() -> Said:
            await go_on.wait()
            return SAID

        reply = await patiently(work(), SOON)
        assert isinstance(reply, StreamingResponse)
        assert (reply.status_code, reply.media_type) == (200, "application/json")
        pieces = [each async for each in _until(reply, go_on, 3)]
        assert pieces[:3] == [SIGN] * 3
        assert json.loads(b"".join(pieces)) == SAID.model_dump(mode="json")

    asyncio.run(main())


def test_what_goes_wrong_late_breaks_the_reply_off(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        async def work() -> Said:
            await go_on.wait()
            raise FailedPrecondition("part 7 was uploaded again meanwhile")

        reply = await patiently(work(), SOON)
        assert isinstance(reply, StreamingResponse)
        with pytest.raises(FailedPrecondition):
            [each async for each in _until(reply, go_on, 1)]

    asyncio.run(main())
    assert "part 7 was uploaded again meanwhile" in caplog.text


def test_work_goes_on_when_its_client_goes_away() -> None:
    async def main() -> None:
        go_on, done = asyncio.Event(), asyncio.Event()

        async def work() -> Said:
            await go_on.wait()
            done.set()
            return SAID

        reply = await patiently(work(), SOON)
        assert isinstance(reply, StreamingResponse)

        async def read() -> None:
            async for _ in reply.body_iterator:
                await asyncio.sleep(0)

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        go_on.set()
        await asyncio.wait_for(done.wait(), LATE)

    asyncio.run(main())


async def _until(
    reply: StreamingResponse, go_on: asyncio.Event, signs: int
) -> AsyncIterator[bytes]:
    """The pieces of a reply, whose work goes on after so many."""
    count = 0
    async for piece in reply.body_iterator:
        count += 1
        if count == signs:
            go_on.set()
        assert isinstance(piece, bytes)
        yield piece
