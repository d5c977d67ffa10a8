"""Streams of messages: those of a request go on to its call as they come, as does the reply."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Protocol

from gateway import errors
from gateway.asgi import ClientGoneError
from gateway.forward import reply_fields
from gateway.grpc_messages import Messages
from gateway.grpc_reply import Fields, Reply
from gateway.presence import Ends
from mesh.call import Metadata
from mesh.errors import Internal, MeshError
from mesh.link.call import CallerCall


class Relayed(Protocol):
    """A call to a server outside the mesh, of any kind: bytes go through as they are."""

    async def send(self, message: bytes) -> bool:
        """Sends one message; False if the call is over."""

    async def send_end(self) -> None:
        """No more messages come."""

    async def head(self) -> Metadata:
        """The metadata with which the reply begins."""

    def messages(self) -> AsyncIterator[bytes]:
        """The messages of the reply as they come; they end with the call, however that ends."""

    async def ending(self) -> tuple[MeshError | None, Fields]:
        """How the call failed, if it did, and the trailers that say so."""

    def cancel(self, failure: MeshError | None = None, /) -> None:
        """Gives the call up; it ends with `failure`, or Cancelled."""


@asynccontextmanager
async def sending(
    call: Ends, messages: Messages, sends: Coroutine[Any, Any, None]
) -> AsyncGenerator[None]:
    """Runs what `sends` the messages to the call, as long as its reply is read.

    Who reads is told, by the call, how sending fails. Behind this, the call is over.
    """
    sender = asyncio.ensure_future(_told(call, sends))
    try:
        yield
    finally:
        call.cancel()
        messages.end(ClientGoneError)
        await asyncio.wait((sender,))
        sender.result()


async def _told(call: Ends, sends: Coroutine[Any, Any, None]) -> None:
    try:
        await sends
    except MeshError as error:
        call.cancel(error)
    except ClientGoneError:
        call.cancel()
    except BaseException:
        call.cancel(Internal(errors.UNEXPECTED))
        raise


async def send_all(call: CallerCall, first: bytes | None, messages: Messages) -> None:
    """Sends the request's messages until the call is over. Raises MeshError, ClientGoneError."""
    if first is not None:
        await call.send(first)
    async for message in messages.rest():
        if call.is_done:
            return
        await call.send(message)
    await call.send(b"", message_end=False, end=True)


async def send_large(call: CallerCall, messages: Messages) -> None:
    """Sends the message whose beginning has come, unless the call is over before.

    Raises MeshError, ClientGoneError.
    """
    over = asyncio.ensure_future(call.reply())
    over.add_done_callback(lambda _: messages.end(_AnsweredError))
    try:
        async for part, is_last in messages.parts():
            await call.send(part, message_end=is_last, end=is_last)
        await messages.check_end()
    except _AnsweredError:
        return
    finally:
        over.cancel()
        await asyncio.wait((over,))
        if not over.cancelled():
            over.exception()  # whoever reads the reply is told


async def relay(call: Relayed, messages: Messages, reply: Reply) -> None:
    """Has a server outside answer; the call is over then. Raises MeshError if that fails."""
    async with sending(call, messages, _relay_all(call, messages)):
        reply.fields += reply_fields(await call.head())
        async for message in call.messages():
            if not reply.has_begun:
                await reply.begin()
            await reply.more(await reply.framed(message))
        error, reply.ending = await call.ending()
        if error is not None:
            raise error
        if not reply.has_begun:
            await reply.begin()
        await reply.end(reply.ending)


async def _relay_all(call: Relayed, messages: Messages) -> None:
    async for message in messages.rest():
        if not await call.send(message):
            return
    await call.send_end()


class _AnsweredError(Exception):
    """The call is answered, or has failed, before its request is whole."""
