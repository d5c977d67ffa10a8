"""Reports to the controller what a process measures, and keeps on while it is away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

import grpc
import grpc.aio

from mesh.clock import Clock
from mesh.control.loads import MOST_USES, Report, together
from mesh.link import load_wire
from mesh.link.watch import OPTIONS
from mesh.v1 import load_pb2

_log = logging.getLogger(__name__)

REPORT = "/mesh.v1.Loads/Report"
FIRST_INTERVAL = 1.0
"""Seconds between reports until the controller says otherwise."""
SHORTEST_INTERVAL = 0.1
"""Seconds between two reports at least, however much there is to tell."""
LONGEST_INTERVAL = 60.0
"""Seconds between two reports at most, whatever the controller says."""
PATIENCE = 5.0
"""Seconds in which the controller has to answer."""
_NO_SUCH_RPC = grpc.StatusCode.UNIMPLEMENTED

Measure = Callable[[float], Report]
"""Gives what was measured in the last so many seconds; each time what is new since the last."""


class Reporter:
    """Reports to the controller at `address` (`host:port`). For one event loop.

    `measure` is asked on the loop before each report; what it raises is logged. `reporter` says
    who it is, `rng` spreads the reports of many, which wait with `pause`. Outcomes and uses of
    tokens of a report that did not arrive are sent with the next; loads and waiting calls are worth
    nothing later.
    """

    def __init__(
        self,
        address: str,
        reporter: str,
        measure: Measure,
        rng: Random,
        clock: Clock,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._address = address
        self._reporter = reporter
        self._measure = measure
        self._rng = rng
        self._clock = clock
        self._pause = pause
        self._unsent = Report()
        self._interval = FIRST_INTERVAL
        self._failures = 0
        self._has_news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        state = f"{self._failures} failures in a row" if self._failures else "heard"
        return f"<Reporter {self._reporter} to {self._address}: {state}>"

    def start(self) -> None:
        """Begins to report. To be called once, on the loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=repr(self))

    def wake(self) -> None:
        """Reports now, or as soon as the shortest interval since the last report allows."""
        self._has_news.set()

    async def close(self) -> None:
        """Ends. May be called twice, or without a start."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        async with grpc.aio.insecure_channel(self._address, options=OPTIONS) as channel:
            send = channel.unary_unary(
                REPORT,
                request_serializer=load_pb2.LoadReport.SerializeToString,
                response_deserializer=load_pb2.LoadReply.FromString,
            )
            last = self._clock()
            while True:
                await self._rest()
                now = self._clock()
                if (report := self._report(now - last)) is not None:
                    await self._send(send, report)
                last = now

    async def _rest(self) -> None:
        """Returns when the next report is due."""
        await self._pause(SHORTEST_INTERVAL)
        left = self._interval * self._rng.uniform(0.9, 1.1) - SHORTEST_INTERVAL
        if left > 0 and not self._has_news.is_set():
            waits = (
                asyncio.ensure_future(self._pause(left)),
                asyncio.ensure_future(self._has_news.wait()),
            )
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()
                await asyncio.gather(*waits, return_exceptions=True)
        self._has_news.clear()

    def _report(self, seconds: float) -> Report | None:
        try:
            fresh = self._measure(seconds)
        except Exception:  # noqa: BLE001  # whatever it is, to report no more is worse
            _log.exception("%s cannot measure", self._reporter)
            return None
        left = self._unsent
        outcomes = together(left.outcomes, fresh.outcomes) if left.outcomes else fresh.outcomes
        uses = _last_uses(left.uses, fresh.uses) if left.uses else fresh.uses
        return replace(
            fresh, reporter=self._reporter, seconds=seconds, outcomes=outcomes, uses=uses
        )

    async def _send(self, send: Callable[..., Any], report: Report) -> None:
        self._unsent = report  # in case that this is cancelled, too
        try:
            reply = await send(load_wire.to_proto(report), timeout=PATIENCE)
        except grpc.aio.AioRpcError as error:
            # A controller that takes no reports needs none.
            level = logging.INFO if error.code() is _NO_SUCH_RPC else logging.WARNING
            self._failed(level, error.details() or error.code().name)
            return
        except Exception as error:  # noqa: BLE001  # as above
            self._failed(logging.WARNING, f"{type(error).__name__}: {error}")
            return
        self._unsent = Report()
        if self._failures:
            _log.info("%s reports to %s", self._reporter, self._address)
        self._failures = 0
        if reply.interval > 0:
            self._interval = min(max(reply.interval, SHORTEST_INTERVAL), LONGEST_INTERVAL)

    def _failed(self, level: int, why: str) -> None:
        self._failures += 1
        if self._failures == 1:
            _log.log(level, "%s cannot report to %s: %s", self._reporter, self._address, why)


def _last_uses(old: Mapping[bytes, float], new: Mapping[bytes, float]) -> dict[bytes, float]:
    """Those of both, the newest times; of more than MOST_USES the newest."""
    both = {**{digest: at for digest, at in old.items() if digest not in new}, **new}
    return dict(list(both.items())[-MOST_USES:])
