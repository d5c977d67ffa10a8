"""How a WebSocket of the cloud API is served: who may, until when, and what goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from mesh.access.principal import Area, Principal, Verb
from mesh.errors import InvalidArgument, MeshError
from mesh.faces.cloud.permission import principal_of, require_still
from mesh.faces.cloud.wire.pods import failure

LOOK_EVERY = 0.5
"""Seconds between two looks at what is followed."""

Talk = Callable[[WebSocket, Principal], Awaitable[None]]


async def served(socket: WebSocket, talk: Talk) -> None:
    """Talks until either side has enough; what goes wrong is told in an envelope."""
    await socket.accept()
    try:
        principal = principal_of(socket)
        principal.require(Verb.READ, Area.DEPLOYMENTS)
        await talk(socket, principal)
    except WebSocketDisconnect:
        return
    except MeshError as error:
        with suppress(WebSocketDisconnect, RuntimeError):
            await socket.send_json(failure(error.message))
    if socket.client_state is WebSocketState.CONNECTED:
        with suppress(RuntimeError):
            await socket.close()


async def while_connected(socket: WebSocket) -> AsyncIterator[Mapping[str, Any]]:
    """Each message of the client, and an empty one where it says nothing for `LOOK_EVERY`.

    Raises Unauthenticated or PermissionDenied once the client may no longer what it might.
    """
    principal = principal_of(socket)
    message: Mapping[str, Any] = {}
    reading: asyncio.Task[Any] | None = None
    try:
        while True:
            yield message
            reading = reading or asyncio.ensure_future(socket.receive_json())
            done, _ = await asyncio.wait([reading], timeout=LOOK_EVERY)
            await require_still(socket, principal)
            message = {}
            if done:
                message, reading = _message(reading), None
    finally:
        if reading is not None:
            reading.cancel()


def _message(reading: "asyncio.Task[Any]") -> Mapping[str, Any]:
    """What the client sent. Raises InvalidArgument for what is no object."""
    try:
        found = reading.result()
    except (ValueError, KeyError) as error:
        raise InvalidArgument("messages are objects in JSON") from error
    if not isinstance(found, dict):
        raise InvalidArgument("messages are objects in JSON")
    return found
