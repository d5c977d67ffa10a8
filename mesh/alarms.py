"""Time limits of calls, of which nearly all are taken back: many share one timer of the loop."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

log = logging.getLogger("mesh.alarms")

GRAIN = 0.05
"""Seconds that an alarm may come late."""
EXACT = 1.0
"""Seconds below which an alarm has a timer of its own, and is not late."""


class Cancellable(Protocol):
    """What can be taken back."""

    def cancel(self) -> None:
        """Nothing is called any more."""


class Loop(Protocol):
    """What of an event loop is used."""

    def time(self) -> float:
        """Its clock, in seconds."""

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> Cancellable:
        """Calls back when the clock says so."""

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Cancellable:
        """Calls back after that time."""


class Alarm:
    """One function to call, unless it is cancelled before."""

    __slots__ = ("_args", "_call", "_others")

    def __init__(
        self, others: "set[Alarm]", call: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        self._others = others
        self._call = call
        self._args = args

    def cancel(self) -> None:
        """Takes it back; does nothing if it has rung."""
        self._others.discard(self)

    def ring(self) -> None:
        """Calls the function."""
        self._call(*self._args)


class Alarms:
    """Calls functions later, on the event loop that runs when they are set.

    A timer of a loop costs more than the rest of what becomes of a call at its end, and almost no
    call reaches its time limit. So alarms are kept by the grain of time in which they are due.
    """

    def __init__(self, loop: Callable[[], Loop] = asyncio.get_running_loop) -> None:
        self._loop = loop
        self._due: dict[int, set[Alarm]] = {}

    def __repr__(self) -> str:
        return f"<Alarms {sum(map(len, self._due.values()))} set>"

    def set(self, seconds: float, call: Callable[..., object], *args: object) -> Cancellable:
        """Has `call(*args)` done after that time, GRAIN seconds later at most."""
        loop = self._loop()
        if seconds < EXACT:
            return loop.call_later(seconds, call, *args)
        grain = int((loop.time() + seconds) / GRAIN) + 1
        alarms = self._due.get(grain)
        if alarms is None:
            alarms = self._due[grain] = set()
            loop.call_at(grain * GRAIN, self._ring, grain)
        alarm = Alarm(alarms, call, args)
        alarms.add(alarm)
        return alarm

    def _ring(self, grain: int) -> None:
        for alarm in tuple(alarms := self._due.pop(grain)):
            if alarm not in alarms:  # another one's function has cancelled it
                continue
            try:
                alarm.ring()
            except Exception:
                log.exception("a time limit failed")  # the others still count
