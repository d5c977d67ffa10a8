"""Time limits of calls, of which nearly all are taken back: many share one timer of the loop."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

log = logging.getLogger("mesh.alarms")

GRAIN = 0.05
"""Seconds that an alarm may come late."""
SPARE = 1500
"""Grains that are kept when nothing is left in them: those of a minute, and some."""
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

    __slots__ = ("_args", "_call", "_grain")

    def __init__(self, grain: "Grain", call: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._grain = grain
        self._call = call
        self._args = args

    def cancel(self) -> None:
        """Takes it back; does nothing if it has rung."""
        alarms = self._grain.alarms
        alarms.discard(self)
        if not alarms:
            self._grain.on_empty()

    def ring(self) -> None:
        """Calls the function."""
        self._call(*self._args)


class Grain:
    """The alarms of one grain of time, and the timer that rings them."""

    __slots__ = ("_number", "_owner", "alarms", "timer")

    def __init__(self, owner: "Alarms", number: int) -> None:
        self._owner = owner
        self._number = number
        self.alarms: set[Alarm] = set()
        self.timer: Cancellable | None = None

    def on_empty(self) -> None:
        """Its last alarm was cancelled."""
        self._owner.spare(self._number)


class Alarms:
    """Calls functions later, on the event loop that runs when they are set.

    A timer of a loop costs more than the rest of what becomes of a call at its end, and almost no
    call reaches its time limit. So alarms are kept by the grain of time in which they are due.
    """

    def __init__(self, loop: Callable[[], Loop] = asyncio.get_running_loop) -> None:
        self._loop = loop
        self._due: dict[int, Grain] = {}

    def __repr__(self) -> str:
        alarms = sum(len(each.alarms) for each in self._due.values())
        return f"<Alarms {alarms} set in {len(self._due)} grains>"

    def set(self, seconds: float, call: Callable[..., object], *args: object) -> Cancellable:
        """Has `call(*args)` done after that time, GRAIN seconds later at most."""
        loop = self._loop()
        if seconds < EXACT:
            return loop.call_later(seconds, call, *args)
        number = int((loop.time() + seconds) / GRAIN) + 1
        grain = self._due.get(number)
        if grain is None:
            grain = self._due[number] = Grain(self, number)
            grain.timer = loop.call_at(number * GRAIN, self._ring, number)
        alarm = Alarm(grain, call, args)
        grain.alarms.add(alarm)
        return alarm

    def spare(self, number: int) -> None:
        """Lets a grain without alarms go, if there are many: callers choose how far ahead it is."""
        if len(self._due) <= SPARE or (grain := self._due.get(number)) is None or grain.alarms:
            return
        del self._due[number]
        if grain.timer is not None:
            grain.timer.cancel()

    def _ring(self, number: int) -> None:
        for alarm in tuple(alarms := self._due.pop(number).alarms):
            if alarm not in alarms:  # another one's function has cancelled it
                continue
            try:
                alarm.ring()
            except Exception:
                log.exception("a time limit failed")  # the others still count
