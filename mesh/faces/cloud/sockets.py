"""WebSockets of the cloud API: what runs of a deployment, and what it writes, as it happens."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, WebSocket

from mesh.access.principal import Principal
from mesh.errors import InvalidArgument, NotFound
from mesh.faces.cloud.backing import CLUSTER, Backing
from mesh.faces.cloud.talks import served, while_connected
from mesh.faces.cloud.wire.pods import Pod, pod, selected, success

PIECE = 8 * 2**10
"""Characters of a log in one message: with four bytes each, in base64 and an envelope, they stay
below 64 KiB, which is all that the client takes; and no character is cut in two."""
LINES = 500
"""Lines from before that are sent at most."""
LINE = 200
"""Bytes that a line is taken to have, when the last lines are asked for."""


def sockets(backing: Backing) -> APIRouter:
    """The routes of `/ws/v1` and `/ws/v2` for pods and logs."""
    routes = APIRouter()

    @routes.websocket("/ws/v2/deployments/{name}/pods")
    async def of_deployment(socket: WebSocket, name: str) -> None:
        async def talk(socket: WebSocket, asker: Principal) -> None:
            await _follow_pods(backing, socket, lambda: _pods(backing, asker.organization, name))

        await served(socket, talk)

    @routes.websocket("/ws/v1/clusters/{cluster}/pods")
    async def of_cluster(socket: WebSocket, cluster: str) -> None:
        async def talk(socket: WebSocket, asker: Principal) -> None:
            _check_cluster(cluster)
            selector = socket.query_params.get("selector", "")
            await _follow_pods(
                backing, socket, lambda: selected(_pods(backing, asker.organization), selector)
            )

        await served(socket, talk)

    @routes.websocket("/ws/v1/clusters/{cluster}/tail")
    async def tail(socket: WebSocket, cluster: str) -> None:
        async def talk(socket: WebSocket, asker: Principal) -> None:
            _check_cluster(cluster)
            await _tail(backing, socket, asker.organization)

        await served(socket, talk)

    return routes


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
    async for _ in while_connected(socket):
        found = look()
        if found != told:
            told = found
            await socket.send_json(success([each.model_dump(mode="json") for each in found]))


async def _tail(backing: Backing, socket: WebSocket, organization: str) -> None:
    """Sends what a replica writes, from its last lines on, when the client has said how many."""
    await backing.verbs.until_opened()
    replica = socket.query_params.get("pod_name", "")
    _check_replica(backing, replica, organization)
    wish: Mapping[str, Any] | None = None
    place = -1
    async for message in while_connected(socket):
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
