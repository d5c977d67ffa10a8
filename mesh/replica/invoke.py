"""Runs a user's method: sync or async, value or generator, all as one."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from mesh.replica.admission import Place

_END = object()


class Threads:
    """The bounded threads in which sync methods run."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="mesh-method")

    async def run(self, place: Place, func: Callable[[], Any]) -> Any:
        """The result of `func`, run in a thread in the caller's context.

        The thread holds `place` until `func` returns, also if nobody waits for it any more.
        """
        loop = asyncio.get_running_loop()
        place.hold()
        running = self._pool.submit(contextvars.copy_context().run, _no_stop, func)
        running.add_done_callback(partial(_release, loop, place))
        return await asyncio.wrap_future(running, loop=loop)

    def close(self) -> None:
        """Takes no more; does not wait for methods that still run."""
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
    arguments: Mapping[str, Any],
    *,
    is_async: bool,
    threads: Threads,
    place: Place,
) -> Any:
    """The result of a method that returns one value."""
    if is_async:
        return await func(**arguments)
    return await threads.run(place, partial(func, **arguments))


async def items(
    func: Callable[..., Any],
    arguments: Mapping[str, Any],
    *,
    is_async: bool,
    threads: Threads,
    place: Place,
) -> AsyncGenerator[Any]:
    """The items of a method that is a generator; closing this closes the generator."""
    if is_async:
        generator = func(**arguments)
        try:
            async for item in generator:
                yield item
        finally:
            if hasattr(generator, "aclose"):  # an async iterator need not have one
                await generator.aclose()
        return
    steps = _Steps(func(**arguments))
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
