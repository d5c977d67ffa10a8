"""An event loop in a thread of its own, for code that blocks."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

ResultT = TypeVar("ResultT")

STOP_WAIT = 5.0
"""Seconds in which a loop has to end."""


class LoopThread:
    """A running event loop. Its methods block and may be called from any other thread."""

    def __init__(self, name: str) -> None:
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def wait(self, work: Coroutine[Any, Any, ResultT], limit: float | None = None) -> ResultT:
        """Runs `work` on the loop and waits for its result, `limit` seconds at most.

        Raises TimeoutError; the work is cancelled then.
        """
        running = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return running.result(limit)
        except TimeoutError:
            running.cancel()
            raise

    def stop(self) -> None:
        """Ends the loop and its thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(STOP_WAIT)
        if not self._thread.is_alive():  # else something blocks the loop; the thread is a daemon
            self.loop.close()
