"""Runs a user's method: sync or async, value or generator, all as one."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from mesh.io.spec import Bound
from mesh.replica.admission import Place

_END = object()


class Threads:
    """Bounded threads, in which sync methods run, or what else blocks; `name` is in theirs."""

    def __init__(self, count: int, name: str = "mesh-method") -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, place: Place, func: Callable[[], Any]) -> Any:
        """The result of `func`, run in a thread in the caller's context.

        The thread holds `place` until `func` returns, also if nobody waits for it any more.
        """
        return await asyncio.wrap_future(self.start(place, func))

    def start(self, place: Place, func: Callable[[], Any]) -> "Future[Any]":
        """As `run`, for who waits for the result in another way, or not at all."""
        running = self._pool.submit(contextvars.copy_context().run, _no_stop, func)
        place.hold()
        running.add_done_callback(partial(_release, asyncio.get_running_loop(), place))
        return running

    def close(self) -> None:
        """Takes no more; does not wait for what still runs."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _no_stop(func: Callable[[], Any]) -> Any:
    try:
        return func()
    except StopIteration as error:
        # A future cannot carry StopIteration; out of a plain method it is an error like others.
        raise RuntimeError("the method raised StopIteration") from error


def _release(loop: asyncio.AbstractEventLoop, place: Place, _: "Future[Any]") -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(place.release)


async def value(
    func: Callable[..., Any],
    bound: Bound,
    *,
    is_async: bool,
    threads: Threads,
    place: Place,
) -> Any:
    """The result of a method that returns one value."""
    if is_async:
        return await func(*bound.args, **bound.kwargs)
    return await threads.run(place, partial(func, *bound.args, **bound.kwargs))


async def items(
    func: Callable[..., Any],
    bound: Bound,
    *,
    is_async: bool,
    threads: Threads,
    place: Place,
) -> AsyncGenerator[Any]:
    """The items of a method that is a generator; closing this closes the generator."""
    if is_async:
        generator = func(*bound.args, **bound.kwargs)
        try:
            async for item in generator:
                yield item
        finally:
            if hasattr(generator, "aclose"):  # an async iterator need not have one
                await generator.aclose()
        return
    steps = _Steps(func(*bound.args, **bound.kwargs))
    try:
        while (item := await threads.run(place, steps.next)) is not _END:
            yield item
    finally:
        await threads.run(place, steps.close)


class _Steps:
    """A sync iterator that is never in two threads at once, also when it is closed midway."""

    def __init__(self, iterable: Iterable[Any]) -> None:
        self._iterator = iter(iterable)
        self._lock = threading.Lock()

    def next(self) -> Any:
        """The next item, or _END."""
        with self._lock:
            return next(self._iterator, _END)

    def close(self) -> None:
        """Closes the iterator, if it can be, when the step that runs is done."""
        with self._lock:
            close = getattr(self._iterator, "close", None)
            if close is not None:
                close()
