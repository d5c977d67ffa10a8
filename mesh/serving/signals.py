"""SIGINT and SIGTERM of a program that runs a mesh."""

import signal
import threading
from collections.abc import Callable
from types import FrameType


class Signals:
    """SIGINT and SIGTERM: the first interrupts the start, or sets `wanted` once it is over.

    Later ones call `again`, once all is being stopped, and else change nothing.
    """

    def __init__(self) -> None:
        self.wanted = threading.Event()
        self.again: Callable[[], None] | None = None
        self._interrupts = True
        self.listen()

    def listen(self) -> None:
        """Takes the signals from now on, whoever took them before."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)

    def defer(self) -> None:
        """The start is over."""
        self._interrupts = False

    def _take(self, _: int, __: FrameType | None) -> None:
        if self.again is not None:
            self.again()
        self.wanted.set()
        if self._interrupts:
            self._interrupts = False
            raise KeyboardInterrupt
