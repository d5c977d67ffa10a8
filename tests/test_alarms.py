"""Many time limits share a timer."""

import asyncio

from mesh.alarms import EXACT, GRAIN, Alarm, Alarms
from tests.link.rig import run


def test_an_alarm_rings_after_its_time_and_not_much_later() -> None:
    async def main() -> None:
        alarms = Alarms()
        loop = asyncio.get_running_loop()
        rung: asyncio.Future[float] = loop.create_future()
        start = loop.time()
        alarms.set(EXACT, lambda: rung.set_result(loop.time()))
        assert await rung - start >= EXACT
        assert repr(alarms) == "<Alarms 0 set>"

    run(main())


def test_a_cancelled_alarm_does_not_ring_and_keeps_nothing() -> None:
    async def main() -> None:
        alarms = Alarms()
        loop = asyncio.get_running_loop()
        rung: list[int] = []
        done = loop.create_future()
        cancelled = [alarms.set(EXACT, rung.append, number) for number in range(100)]
        alarms.set(EXACT, rung.append, 100)
        alarms.set(EXACT + 2 * GRAIN, done.set_result, None)
        for alarm in cancelled:
            alarm.cancel()
        assert repr(alarms) == "<Alarms 2 set>"
        await done
        assert rung == [100]
        cancelled[0].cancel()  # once more is no fault

    run(main())


def test_a_short_alarm_has_a_timer_of_its_own() -> None:
    async def main() -> None:
        alarms = Alarms()
        done = asyncio.get_running_loop().create_future()
        handle = alarms.set(0.001, done.set_result, "early")
        assert not isinstance(handle, Alarm)
        assert await done == "early"

    run(main())
