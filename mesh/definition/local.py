"""A dependency in the same process: what `self.features` is in a plain local instance."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

from mesh.definition.methods import api_options

_END = object()


class LocalHandle:
    """The methods of an instance, called as they are.

    `to_async` makes every method awaitable, or an async iterator if it yields; `to_sync` makes
    every one a plain call, or an iterator. A sync method awaited runs in a thread.
    """

    def __init__(self, instance: object) -> None:
        self._instance = instance
        self.to_async = _Methods(instance, _to_async)
        self.to_sync = _Methods(instance, _to_sync)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return _method(vars(self).get("_instance"), name)

    def __repr__(self) -> str:
        return f"LocalHandle({type(self._instance).__qualname__})"


class LocalForms:
    """Methods of an instance by `names`, all async or all sync, whatever they are marked with."""

    def __init__(self, instance: object, names: frozenset[str]) -> None:
        methods = {name: getattr(instance, name) for name in names}
        self.to_async = SimpleNamespace(**{n: _to_async(each) for n, each in methods.items()})
        self.to_sync = SimpleNamespace(**{n: _to_sync(each) for n, each in methods.items()})


class _Methods:
    def __init__(
        self, instance: object, adapt: Callable[[Callable[..., Any]], Callable[..., Any]]
    ) -> None:
        self._instance = instance
        self._adapt = adapt

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self._adapt(_method(vars(self).get("_instance"), name))


def _method(instance: object, name: str) -> Callable[..., Any]:
    """A method marked with `@api`: only these can be called when the service runs elsewhere."""
    # A private name is never a method; copying a handle asks for some before it has an instance.
    if name.startswith("_"):
        raise AttributeError(name)
    method: Callable[..., Any] | None = getattr(instance, name, None)
    if method is None or api_options(getattr(method, "__func__", None)) is None:
        raise AttributeError(f"{type(instance).__qualname__} has no @mesh.api method {name!r}")
    return method


def _to_async(method: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        return method
    if not inspect.isgeneratorfunction(method):
        return lambda *args, **kwargs: asyncio.to_thread(method, *args, **kwargs)

    async def items(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        produced = method(*args, **kwargs)
        try:
            while (item := await asyncio.to_thread(next, produced, _END)) is not _END:
                yield item
        finally:
            produced.close()

    return items


def _to_sync(method: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(method):
        return lambda *args, **kwargs: asyncio.run(method(*args, **kwargs))
    if not inspect.isasyncgenfunction(method):
        return method

    def items(*args: Any, **kwargs: Any) -> Iterator[Any]:
        produced = method(*args, **kwargs)
        with asyncio.Runner() as runner:
            try:
                while (item := runner.run(_next(produced))) is not _END:
                    yield item
            finally:
                runner.run(produced.aclose())

    return items


async def _next(produced: AsyncIterator[Any]) -> Any:
    return await anext(produced, _END)
