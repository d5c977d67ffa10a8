"""The pod of a codespace: it is there before anything runs, and its log says what becomes of files.

Clients send files once a pod is running that takes requests, and follow the logs of the pods that
they find then. Replicas come and go with each change of a file, and this pod stays: its log has
theirs as well, from those on that have started since it is followed.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import WebSocket

from mesh.config import MAIN
from mesh.control.records import Document, Intent
from mesh.errors import MeshError, NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.deployments.listing import Deployments, Held
from mesh.faces.cloud.deployments.shown import Shown
from mesh.faces.cloud.streams.tails import PIECE, send_new, send_text, wish_of
from mesh.faces.cloud.streams.talks import while_connected
from mesh.faces.cloud.wire.pods import (
    COMPONENT,
    DEPLOYMENT,
    ENTRY,
    Pod,
    PodPhase,
    PodState,
    success,
)
from mesh.releases.pending import Stage

_END = ".codespace"
"""What the name of such a pod ends with; no replica has a dot in its name."""


def is_developed(config: Document, held: Held) -> bool:
    """Whether a deployment is a codespace, and is to run."""
    if held.pending is not None:
        is_wanted = held.pending.stage is not Stage.TERMINATED
    else:
        is_wanted = held.record is not None and held.record.intent is Intent.RUN
    return is_wanted and bool(config.get("dev"))


def code_pod(deployment: str) -> Pod:
    """The pod of the codespace of a deployment."""
    return Pod(
        name=f"{deployment}{_END}",
        labels={COMPONENT: ENTRY, DEPLOYMENT: deployment},
        status=PodPhase(phase="Running", ready=True),
        pod_status=PodState(status="Running"),
        runner_name="codespace",
    )


def code_pod_of(pod: str) -> str | None:
    """The deployment whose codespace a pod is; None for a pod that is none."""
    return pod.removesuffix(_END) if pod.endswith(_END) else None


async def tail_code(backing: Backing, socket: WebSocket, organization: str, name: str) -> None:
    """Sends what becomes of a codespace, and what its new replicas write. Raises NotFound."""
    log = _CodeLog(backing, socket, organization, name)
    log.shown()
    wish: Mapping[str, Any] | None = None
    async for message in while_connected(socket):
        if message.get("type") == "data":
            wish = wish_of(message)
        if wish is None:
            continue
        try:
            await log.send(str(wish.get("id", "")))
        except NotFound:
            break
        if not wish.get("follow", True):
            break
    await socket.send_json(success(None, "EOF"))


class _CodeLog:
    """What one client was told."""

    def __init__(self, backing: Backing, socket: WebSocket, organization: str, name: str) -> None:
        self._backing = backing
        self._socket = socket
        self._organization = organization
        self._name = name
        self._told = ""
        # These have logs of their own, which whoever follows this one has found as well.
        self._others = frozenset(self._replicas())
        self._places: dict[str, int] = {}

    def shown(self) -> Shown:
        """The deployment. Raises NotFound, also for one that is no codespace."""
        every = Deployments(self._backing, self._backing.ready_deploying)
        found = every.find(self._name, self._organization)
        if not found.config.get("dev"):
            raise NotFound(f"there is no pod '{self._name}{_END}'")
        return found

    async def send(self, wish: str) -> None:
        """Sends what is new. Raises NotFound if the deployment is gone."""
        lines = "".join(f"{line}\n" for line in self._lines(self.shown()))
        if lines != self._told:
            self._told = lines
            await send_text(self._socket, wish, lines)
        for replica in self._replicas():
            if replica not in self._others:
                await self._send_of(replica, wish)

    def _replicas(self) -> list[str]:
        every = self._backing.verbs.replicas()
        return [each.id for each in every if each.deployment == self._name]

    async def _send_of(self, replica: str, wish: str) -> None:
        place = self._places.get(replica, -1)
        try:
            self._places[replica] = await send_new(
                self._backing, self._socket, replica, wish, place, PIECE, replaces=False
            )
        except NotFound:  # it has just ended
            return

    def _lines(self, shown: Shown) -> Iterator[str]:
        yield f"{shown.status}: {shown.reason}" if shown.reason else shown.status
        if shown.status == "running":
            yield from (f"warning: {each}" for each in self._warnings())

    def _warnings(self) -> tuple[str, ...]:
        try:
            application, _ = self._backing.verbs.kept(self._name)
        except MeshError:
            return ()
        version = application.versions.get(MAIN)
        return version.warnings if version is not None else ()
