"""WebSockets of the cloud API: what runs of a deployment, and what it writes, as it happens."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, WebSocket

from mesh.access.principal import Principal
from mesh.control.records import CLUSTER
from mesh.errors import NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.codespaces.pods import code_pod, code_pod_of, is_developed, tail_code
from mesh.faces.cloud.deployments.listing import Deployments
from mesh.faces.cloud.streams.tails import PIECE, bytes_of, send_new, wish_of
from mesh.faces.cloud.streams.talks import served, while_connected
from mesh.faces.cloud.wire.pods import Pod, pod, selected, success


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
    every = Deployments(backing, backing.ready_deploying)
    mine = {held.one.name: held for held in every.all(organization)}
    if name:
        if name not in mine:
            raise NotFound(f"there is no deployment {name!r}")
        mine = {name: mine[name]}
    entries = _entries(backing)
    codespaces = [each for each in mine.values() if is_developed(every.config(each), each)]
    return (
        *(code_pod(each.one.name) for each in codespaces),
        *(
            pod(replica, *entries.get(replica.version_id, ("", "")))
            for replica in backing.verbs.replicas()
            if replica.deployment in mine
        ),
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
    if (name := code_pod_of(replica)) is not None:
        await tail_code(backing, socket, organization, name)
        return
    _check_replica(backing, replica, organization)
    wish: Mapping[str, Any] | None = None
    place = -1
    async for message in while_connected(socket):
        if message.get("type") == "data":
            wish, place = wish_of(message), -1
        if wish is None:
            continue
        limit = bytes_of(wish) if place < 0 else PIECE
        try:
            place = await send_new(backing, socket, replica, str(wish.get("id", "")), place, limit)
        except NotFound:
            break
        if not wish.get("follow", True) or not _runs(backing, replica):
            break
    await socket.send_json(success(None, "EOF"))


def _check_replica(backing: Backing, replica: str, organization: str) -> None:
    """Raises NotFound, also for a replica of another organization."""
    if not any(each.name == replica for each in _pods(backing, organization)):
        raise NotFound(f"there is no pod {replica!r}")


def _runs(backing: Backing, replica: str) -> bool:
    return any(each.id == replica for each in backing.verbs.replicas())
