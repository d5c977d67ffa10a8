"""Methods of actors: what they return, and why there is no answer."""

import asyncio
import logging
import re
from typing import Any

import ray
import ray.exceptions

from mesh.clock import monotonic
from mesh.errors import Unavailable

_log = logging.getLogger(__name__)

ANSWER = 10.0
"""Seconds an actor has to answer a question that takes no work."""
UNREACHABLE = 10.0
"""Seconds without a connection to an actor, of which Ray does not say that it died, until the
replica counts as failed."""
RETRY_EVERY = 0.5
"""Seconds between two tries to reach it."""


class UnreachableError(Unavailable):
    """An actor that may be alive cannot be reached, or does not answer in time."""


async def result(ref: "ray.ObjectRef[Any]", limit: float | None = None) -> Any:
    """What a method of an actor returns.

    Raises Unavailable with one line if it died, raised, or took longer than `limit` seconds, and
    UnreachableError if it may be alive.
    """
    try:
        async with asyncio.timeout(limit):
            return await asyncio.wrap_future(ref.future())
    except TimeoutError:
        raise UnreachableError(f"no answer within {limit:g} s") from None
    except ray.exceptions.ActorUnavailableError:
        raise UnreachableError("its process cannot be reached") from None
    except ray.exceptions.RayError as error:
        raise Unavailable(death(error)) from None


async def patiently(method: Any, *arguments: Any) -> Any:
    """What a method of an actor returns that may be called again. As `result`.

    The network may be to blame for a lost connection, and Ray finds out by itself whether the node
    is alive. Should that take longer than `UNREACHABLE`, this raises.
    """
    lost_at: float | None = None
    while True:
        asked_at = monotonic()
        try:
            return await result(method.remote(*arguments))
        except UnreachableError:
            now = monotonic()
            if lost_at is None or now - asked_at > UNREACHABLE:  # it was reached in between
                lost_at = now
            if now - lost_at > UNREACHABLE:
                raise
        await asyncio.sleep(RETRY_EVERY)


_DETAIL = re.compile(r"Worker exit detail: ([^\n]*)|The actor is dead because ([^\n]*)")


def death(error: Exception) -> str:
    """Why an actor died, in one line, from what Ray says about it."""
    text = str(error)
    if "its node has died" in text:
        return "its node died"
    if isinstance(error, ray.exceptions.RayTaskError) or "creation task" in text:
        return text.strip().splitlines()[-1].strip()
    if match := _DETAIL.search(text):
        return f"the process died: {(match[1] or match[2]).strip()}"
    return f"the process died: {first_line(error)}"


def first_line(error: Exception) -> str:
    """The first line of an error's text, or its type if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


async def ended(actor: Any) -> None:
    """Kills an actor, and waits until Ray confirms it, which is when the resources are free."""
    await asyncio.to_thread(ray.kill, actor, no_restart=True)
    try:
        await result(actor.launch.remote(), ANSWER)
    except Unavailable as error:
        _log.debug("an actor has ended: %s", error.message)
