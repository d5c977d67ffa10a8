"""What `bentoml.depends` becomes: a handle of the mesh that raises BentoML's exceptions."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from mesh.compat.bentoml.errors import exception
from mesh.errors import MeshError


class Proxy:
    """The methods of a service that runs elsewhere in the mesh.

    Each is sync or async as the service itself has it; `to_async` and `to_sync` have all of them
    in one form.
    """

    client_url = ""
    """There is none: calls go from replica to replica."""

    def __init__(self, handle: Any) -> None:
        self.to_async = _Form(handle.to_async, is_async=True)
        self.to_sync = _Form(handle.to_sync, is_async=False)
        for name, call in _calls(handle):
            is_async = call.func is getattr(getattr(handle.to_async, name), "func", None)
            setattr(self, name, getattr(self.to_async if is_async else self.to_sync, name))

    async def is_ready(self, timeout: float | None = None) -> bool:  # noqa: ARG002, ASYNC109 - theirs
        """Whether it can be called: a replica starts when what it depends on is ready."""
        return True


class _Form:
    def __init__(self, methods: Any, *, is_async: bool) -> None:
        for name, call in _calls(methods):
            setattr(self, name, _wrapped(call, is_async=is_async))


def _calls(holder: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(holder).items():
        if callable(value) and name not in ("to_async", "to_sync"):
            yield name, value


def _wrapped(call: Any, *, is_async: bool) -> Callable[..., Any]:
    """The call with errors as the exceptions of their status."""
    streams = call.args[-1].kind.streams_out  # a partial whose last argument is the method
    made: Any
    if is_async and streams:

        async def made(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            items = call(*args, **kwargs)
            try:
                async for item in items:
                    yield item
            except MeshError as error:
                raise exception(error) from error
            finally:
                await items.aclose()

    elif is_async:

        async def made(*args: Any, **kwargs: Any) -> Any:
            try:
                return await call(*args, **kwargs)
            except MeshError as error:
                raise exception(error) from error

    elif streams:

        def made(*args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                yield from call(*args, **kwargs)
            except MeshError as error:
                raise exception(error) from error

    else:

        def made(*args: Any, **kwargs: Any) -> Any:
            try:
                return call(*args, **kwargs)
            except MeshError as error:
                raise exception(error) from error

    made.__doc__ = inspect.getdoc(call)
    return made  # type: ignore[no-any-return]  # one of the four above
