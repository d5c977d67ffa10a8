"""The replies of calls: large ones read piece by piece in threads, and what is done after them."""

import inspect
import logging
from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any

from mesh.call import CALL, TYPED, Metadata, ReplyHead
from mesh.definition.context import Response
from mesh.errors import Internal
from mesh.io.open_inference.media import PROTO
from mesh.io.replies.body import ReplyBody
from mesh.io.replies.encoder import ReplyEncoder
from mesh.io.replies.response import is_response, response_body
from mesh.link.call import ReplicaCall
from mesh.link.frames import CHUNK
from mesh.replica.admission import Place
from mesh.replica.invoke import Threads

log = logging.getLogger("mesh.replica")

THREADS = 16
"""Replies that are encoded or read at a time, of those that block."""

Task = Callable[[], Any]

_MESSAGES = frozenset({CALL, TYPED, PROTO})
"""Media types of replies whose bodies are messages, which no Response is."""


class Replies:
    """Sends the replies of a replica's calls."""

    def __init__(self, threads: int = THREADS) -> None:
        self._threads = Threads(threads, "mesh-reply")

    def close(self) -> None:
        """Takes no more; does not wait for what still runs."""
        self._threads.close()

    async def data(self, encoder: ReplyEncoder, value: Any, place: Place) -> bytes:
        """The message of a value whose encoding blocks. Raises Internal if it doesn't fit."""
        data: bytes = await self._threads.run(place, partial(encoder.encode, value))
        return data

    async def body(self, encoder: ReplyEncoder, value: Any, place: Place) -> ReplyBody:
        """The body of a value that says itself what it goes out as.

        Raises Internal if it doesn't fit.
        """
        make: Callable[[], ReplyBody] | None = None
        if not is_response(value):
            make = partial(encoder.body, value) if encoder.body is not None else None
        elif encoder.media_type not in _MESSAGES:
            make = partial(response_body, value)
        if make is None:
            raise Internal("a Response can be sent over HTTP only")
        body: ReplyBody = await self._threads.run(place, make)
        return body

    async def send(
        self, call: ReplicaCall, head: ReplyHead, body: ReplyBody, place: Place, begun: Task
    ) -> None:
        """Sends the reply; `begun` is called when that has begun and is not yet all.

        Raises Internal for a file that is gone or has changed.
        """
        if body.chunks is not None:
            async with aclosing(body.chunks) as chunks:
                await _stream(call, head._replace(stream=True), chunks, begun)
            return
        if body.data is not None:
            send_whole(call, head, body.data)
            return
        head = head._replace(length=body.size or 0)
        following = partial(self._threads.run, place, partial(next, body.pieces(), None))
        piece = await following() or b""
        after = await following()
        call.start_reply(head, piece, message_end=after is None, end=after is None)
        begun()
        # One piece ahead, so that the last one is known as such.
        while after is not None and not call.is_done:
            piece, after = after, await following()
            await call.send(piece, message_end=after is None, end=after is None)

    async def finish(self, tasks: Iterable[Task], place: Place) -> None:
        """Does what a method left to be done after its reply; the log tells of what fails."""
        for task in tasks:
            try:
                if _is_async(task):
                    await task()
                else:
                    await self._threads.run(place, task)
            except (Exception, SystemExit):
                log.exception("background work failed: %r", task)


def send_whole(call: ReplicaCall, head: ReplyHead, data: bytes) -> None:
    """Sends a reply of one message that is here; the caller is told of its length beforehand."""
    if len(data) > CHUNK:  # else it comes as one piece
        head = head._replace(length=len(data))
    call.start_reply(head, data, message_end=True, end=True)


async def _stream(
    call: ReplicaCall, head: ReplyHead, chunks: AsyncIterable[bytes], begun: Task
) -> None:
    started = False
    async for chunk in chunks:
        if call.is_done:
            return
        if started:
            await call.send(chunk)
        else:
            started = True
            call.start_reply(head, chunk, message_end=True)
            begun()
    if not started:
        call.start_reply(head)
    call.end_reply()


def _is_async(task: Task) -> bool:
    func: Any = task.func if isinstance(task, partial) else task
    return inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(
        getattr(func, "__call__", None)  # noqa: B004  # not whether it can be called, but how
    )


def reply_head(media_type: str, *, stream: bool, response: Response | None) -> ReplyHead:
    """The head of a reply about which the method may have said something."""
    if response is None:
        return ReplyHead(media_type, stream=stream)
    if media_type != CALL:  # whose callers know the form of what they get
        media_type = response.media_type or media_type
    return ReplyHead(media_type, response.status_code or 0, response.metadata(), stream)


def body_head(body: ReplyBody, response: Response | None) -> ReplyHead:
    """The head of a reply with this body: what the body says of itself, and the method beyond.

    A body with a status of its own, which a returned Response has, keeps it and its media type.
    """
    if response is None:
        return ReplyHead(body.media_type, body.status, body.metadata)
    said = response.metadata()
    if body.status:
        return ReplyHead(body.media_type, body.status, body.metadata + said)
    head = reply_head(body.media_type, stream=False, response=response)
    return head._replace(metadata=_merged(body.metadata, said))


def _merged(own: Metadata, said: Metadata) -> Metadata:
    """The body's own fields, unless the method says otherwise, and what it says."""
    names = {name for name, _ in said}
    return (*(field for field in own if field[0] not in names), *said)
