"""WebSockets on which clients are told of resources that they name, whenever these change."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel

from mesh.access.principal import Principal
from mesh.errors import InvalidArgument, MeshError
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.streams.followed import Followed
from mesh.faces.cloud.streams.talks import served, while_connected
from mesh.faces.cloud.wire.pods import failure, success

MOST = 100
"""Resources that one client is told of at a time."""
_ACTIONS = ("subscribe", "unsubscribe")
Wanted = tuple[str, str]
"""The type and the uid of a resource."""


def subscriptions(backing: Backing) -> APIRouter:
    """The routes of `/ws/v1` and `/ws/v2`, which do the same."""
    routes = APIRouter()

    @routes.websocket("/ws/v1/subscription/resource")
    @routes.websocket("/ws/v2/subscription/resource")
    async def subscribe(socket: WebSocket) -> None:
        async def talk(socket: WebSocket, asker: Principal) -> None:
            await _tell(socket, Followed(backing, asker))

        await served(socket, talk)

    return routes


async def _tell(socket: WebSocket, followed: Followed) -> None:
    """Sends what is subscribed to at once, and again when it has changed."""
    told: dict[Wanted, Any] = {}
    async for message in while_connected(socket):
        try:
            if message:
                told = subscribed(told, message)
            for each in tuple(told):
                await _tell_one(socket, followed, told, each)
        except MeshError as error:
            await socket.send_json(failure(error.message))


async def _tell_one(
    socket: WebSocket, followed: Followed, told: dict[Wanted, Any], which: Wanted
) -> None:
    """Sends one resource if it is not as it was told. It is let go of once it cannot be found."""
    try:
        found = await followed.find(*which)
    except MeshError:
        del told[which]
        raise
    if found != told[which]:
        told[which] = found
        view: BaseModel = await followed.view(which[0], found)
        payload = {"resource_type": which[0], "payload": view.model_dump(mode="json")}
        await socket.send_json(success(payload))


def subscribed(told: Mapping[Wanted, Any], message: Mapping[str, Any]) -> dict[Wanted, Any]:
    """What a client is told of after a message of it; None stands for what it was not told yet.

    Raises InvalidArgument for a message that says nothing such, or asks for too much.
    """
    action, kind, uids = (message.get(key) for key in ("action", "resource_type", "resource_uids"))
    if action is None and message.get("type") == "heartbeat":
        return dict(told)
    if action not in _ACTIONS:
        raise InvalidArgument(f"action: one of {', '.join(_ACTIONS)}")
    if not isinstance(kind, str) or not kind:
        raise InvalidArgument("resource_type: the type of the resources, such as deployment")
    if not isinstance(uids, list) or not all(isinstance(uid, str) and uid for uid in uids):
        raise InvalidArgument("resource_uids: a list of uids")
    named = dict.fromkeys((kind, uid) for uid in uids)
    if action == "unsubscribe":
        return {each: state for each, state in told.items() if each not in named}
    found = {**told, **named}
    if len(found) > MOST:
        raise InvalidArgument(f"resource_uids: at most {MOST} resources at a time")
    return found
