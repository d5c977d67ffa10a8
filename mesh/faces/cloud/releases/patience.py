"""Replies to what may take longer than a client waits for the next byte of one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from starlette.responses import Response, StreamingResponse

from mesh.errors import MeshError
from mesh.faces.cloud.wire.base import Wire

EVERY = 15.0
"""Seconds between two signs of life: clients wait 60 s for the next byte, proxies often 30 s."""
SIGN = b" "
"""What may stand before a JSON document."""
_log = logging.getLogger(__name__)


async def patiently(work: Coroutine[Any, Any, Wire], every: float = EVERY) -> Wire | Response:
    """What comes of `work`; if it takes long, a reply that shows life until that is there.

    What goes wrong at once is raised. Later the reply has begun as a good one, so it breaks off,
    and clients take that for a failure. The work goes on if its client goes away.
    """
    task = asyncio.create_task(work)
    done, _ = await asyncio.wait({task}, timeout=every)
    if done:
        return task.result()
    # Proxies that gather replies would keep the signs of life to themselves.
    fields = {"x-accel-buffering": "no", "cache-control": "no-store"}
    return StreamingResponse(_signs(task, every), 200, fields, "application/json")


async def _signs(task: asyncio.Task[Wire], every: float) -> AsyncIterator[bytes]:
    task.add_done_callback(_told)
    while not task.done():
        yield SIGN
        await asyncio.wait({task}, timeout=every)
    yield task.result().model_dump_json(by_alias=True).encode()


def _told(task: asyncio.Task[Wire]) -> None:
    """Writes down what went wrong, for the reply cannot say it."""
    error = None if task.cancelled() else task.exception()
    if isinstance(error, MeshError):
        _log.warning("a reply breaks off: %s", error.message)
    elif error is not None:
        _log.error("a reply breaks off", exc_info=error)
