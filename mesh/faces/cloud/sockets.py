"""WebSockets of the cloud API: what runs of a deployment, and what it writes, as it happens."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from mesh.access.principal import Area, Verb
from mesh.errors import InvalidArgument, MeshError, NotFound
from mesh.faces.cloud.backing import CLUSTER, Backing
from mesh.faces.cloud.permission import principal_of
from mesh.faces.cloud.wire.pods import Pod, failure, pod, selected, success

LOOK_EVERY = 0.5
"""Seconds between two looks at what is followed."""
PIECE = 8 * 2**10
"""Characters of a log in one message: with four bytes each, in base64 and an envelope, they stay
below 64 KiB, which is all that the client takes; and no character is cut in two."""
LINES = 500
"""Lines from before that are sent at most."""
LINE = 200
"""Bytes that a line is taken to have, when the last lines are asked for."""

Talk = Callable[[WebSocket, str], Awaitable[None]]


def sockets(backing: Backing) -> APIRouter:
    """The routes of `/ws/v1` and `/ws/v2` for pods and logs."""
    routes = APIRouter()

    @routes.websocket("/ws/v2/deployments/{name}/pods")
    async def of_deployment(socket: WebSocket, name: str) -> None:
        async def talk(socket: WebSocket, organization: str) -> None:
            await _follow_pods(backing, socket, lambda: _pods(backing, organization, name))

        await _served(socket, talk)

    @routes.websocket("/ws/v1/clusters/{cluster}/pods")
    async def of_cluster(socket: WebSocket, cluster: str) -> None:
        async def talk(socket: WebSocket, organization: str) -> None:
            _check_cluster(cluster)
            selector = socket.query_params.get("selector", "")
            await _follow_pods(
                backing, socket, lambda: selected(_pods(backing, organization), selector)
            )

        await _served(socket, talk)

    @routes.websocket("/ws/v1/clusters/{cluster}/tail")
    async def tail(socket: WebSocket, cluster: str) -> None:
        async def talk(socket: WebSocket, organization: str) -> None:
            _check_cluster(cluster)
            await _tail(backing, socket, organization)

        await _served(socket, talk)

    return routes


async def _served(socket: WebSocket, talk: Talk) -> None:
    """Talks until either side has enough; what goes wrong is told in an envelope."""
    await socket.accept()
    try:
        principal = principal_of(socket)
        principal.require(Verb.READ, Area.DEPLOYMENTS)
        await talk(socket, principal.organization)
    except WebSocketDisconnect:
        return
    except MeshError as error:
        with suppress(WebSocketDisconnect, RuntimeError):
            await socket.send_json(failure(error.message))
    if socket.client_state is WebSocketState.CONNECTED:
        with suppress(RuntimeError):
            await socket.close()


def _check_cluster(name: str) -> None:
    if name != CLUSTER:
        raise NotFound(f"there is no cluster {name!r}; this mesh has {CLUSTER!r}")


def _pods(backing: Backing, organization: str, name: str = "") -> tuple[Pod, ...]:
    """What runs of a deployment, or of all. Raises NotFound."""
    verbs = backing.verbs
    mine = {each.name for each in verbs.deployments() if each.organization == organization}
    if name and name not in mine:
        raise NotFound(f"there is no deployment {name!r}")
    entries = _entries(backing)
    return tuple(
        pod(replica, *entries.get(replica.version_id, ("", "")))
        for replica in verbs.replicas(name)
        if replica.deployment in mine
    )


def _entries(backing: Backing) -> Mapping[str, tuple[str, str]]:
    """The entry service and the name of each version that is published, by its id."""
    snapshot = backing.verbs.snapshots.value
    deployments = snapshot.deployments.values() if snapshot else ()
    return {
        version.id: (version.entry, version.name)
        for deployment in deployments
        for version in deployment.versions
    }


async def _follow_pods(
    backing: Backing, socket: WebSocket, look: Callable[[], tuple[Pod, ...]]
) -> None:
    """Sends the pods, and sends them again when they have changed."""
    await backing.verbs.until_opened()
    told: tuple[Pod, ...] | None = None
    async for _ in _while_connected(socket):
        found = look()
        if found != told:
            told = found
            await socket.send_json(success([each.model_dump(mode="json") for each in found]))


async def _while_connected(socket: WebSocket) -> AsyncIterator[Mapping[str, Any]]:
    """Each message of the client, and an empty one where it says nothing for `LOOK_EVERY`."""
    message: Mapping[str, Any] = {}
    reading: asyncio.Task[Any] | None = None
    try:
        while True:
            yield message
            reading = reading or asyncio.ensure_future(socket.receive_json())
            done, _ = await asyncio.wait([reading], timeout=LOOK_EVERY)
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


async def _tail(backing: Backing, socket: WebSocket, organization: str) -> None:
    """Sends what a replica writes, from its last lines on, when the client has said how many."""
    await backing.verbs.until_opened()
    replica = socket.query_params.get("pod_name", "")
    _check_replica(backing, replica, organization)
    wish: Mapping[str, Any] | None = None
    place = -1
    async for message in _while_connected(socket):
        if message.get("type") == "data":
            wish, place = _wish(message), -1
        if wish is None:
            continue
        limit = _bytes_of(wish) if place < 0 else PIECE
        try:
            place = await _send_new(backing, socket, replica, str(wish.get("id", "")), place, limit)
        except NotFound:
            break
        if not wish.get("follow", True) or not _runs(backing, replica):
            break
    await socket.send_json(success(None, "EOF"))


def _wish(message: Mapping[str, Any]) -> Mapping[str, Any]:
    payload = message.get("payload")
    if not isinstance(payload, dict):
        raise InvalidArgument("payload: an object with id, follow and tail_lines")
    return payload


def _bytes_of(wish: Mapping[str, Any]) -> int:
    lines = wish.get("tail_lines")
    if not isinstance(lines, int) or isinstance(lines, bool) or lines < 0:
        lines = LINES
    return max(min(lines, LINES) * LINE, LINE)


async def _send_new(
    backing: Backing, socket: WebSocket, replica: str, wish: str, place: int, limit: int
) -> int:
    """Sends what is new after a place; returns where the next piece begins."""
    while True:
        chunk = await backing.verbs.logs(replica, place, limit)
        for begin in range(0, len(chunk.text), PIECE):
            piece = base64.b64encode(chunk.text[begin : begin + PIECE].encode()).decode()
            kind = "replace" if place < 0 and not begin else "append"
            payload = {"req_id": wish, "type": kind, "items": [piece]}
            await socket.send_json(success(payload))
        if not chunk.text or place < 0:
            return chunk.next
        place = chunk.next


def _check_replica(backing: Backing, replica: str, organization: str) -> None:
    """Raises NotFound, also for a replica of another organization."""
    if not any(each.name == replica for each in _pods(backing, organization)):
        raise NotFound(f"there is no pod {replica!r}")


def _runs(backing: Backing, replica: str) -> bool:
    return any(each.id == replica for each in backing.verbs.replicas())
