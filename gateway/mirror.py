"""Copies of requests for another deployment, whose replies nobody sees."""

import asyncio
import logging
from random import Random

from gateway.forward import Aim, PickMethod
from gateway.mirror_metrics import MirrorKey, MirrorMetrics
from mesh.call import CallHead
from mesh.errors import Code, MeshError, Unavailable
from mesh.link.dispatch import Dispatcher
from mesh.traffic.snapshot import Mirror, Service, Version
from mesh.traffic.split import choose_version

log = logging.getLogger("mesh.gateway")

MOST_BYTES = 2**20
"""Bytes of a body that is copied at most; larger ones are passed on as they come."""
MOST_RUNNING = 100
"""Copies that are under way at a time; more are dropped."""
PATIENCE = 300.0
"""Seconds that a copy may take."""
FIELD = ("x-mesh-mirrored", "1")
"""The header field by which a service knows a copy."""
BUSY, LARGE, STREAM = "busy", "large", "stream"
"""Why a request is not copied."""


class Mirrors:
    """Sends the copies. Nothing that becomes of them reaches whoever asked."""

    def __init__(self, dispatcher: Dispatcher, metrics: MirrorMetrics, rng: Random) -> None:
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._rng = rng
        self._running: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Mirrors {len(self._running)} running>"

    def copy(self, aim: Aim, head: CallHead, body: bytes) -> None:
        """Copies a request with this body if its endpoint has a mirror, and chance wants it."""
        mirror = self._drawn(aim)
        if mirror is None:
            return
        if len(body) > MOST_BYTES:
            self._count(aim, mirror, LARGE)
        elif len(self._running) >= MOST_RUNNING:
            self._count(aim, mirror, BUSY)
        else:
            task = asyncio.ensure_future(self._send(aim, mirror, aim.pick, head, body))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def skip(self, aim: Aim, why: str) -> None:
        """Counts a request that would have been copied, but is LARGE or a STREAM."""
        mirror = self._drawn(aim)
        if mirror is not None:
            self._count(aim, mirror, why)

    def _drawn(self, aim: Aim) -> Mirror | None:
        endpoint = self._dispatcher.snapshot.endpoints.get(aim.endpoint)
        mirror = endpoint.mirror if endpoint is not None else None
        if mirror is None or self._rng.random() * 100 >= mirror.percent:
            return None
        return mirror

    def _count(self, aim: Aim, mirror: Mirror, result: str, version: str = "") -> None:
        self._metrics.count(MirrorKey(aim.endpoint, mirror.deployment, version, result))

    async def _send(
        self, aim: Aim, mirror: Mirror, pick: PickMethod, head: CallHead, body: bytes
    ) -> None:
        version, result = "", "OK"
        try:
            chosen = self._version(mirror)
            version = chosen.name
            service, method = pick(chosen)
            copied = head._replace(method=method.name, metadata=(*head.metadata, FIELD))

            def find() -> Service:
                now = self._dispatcher.version(mirror.deployment, chosen.id)
                return now.services[service.name]

            async with asyncio.timeout(PATIENCE):
                call = await self._dispatcher.ask(find, copied, body)
                try:
                    while await call.piece() is not None:
                        pass
                finally:
                    call.cancel()  # nothing, if all of the reply is here
        except MeshError as error:
            result = error.code.name
        except TimeoutError:
            result = Code.DEADLINE_EXCEEDED.name
        except Exception:
            result = Code.INTERNAL.name
            log.exception("a mirrored request failed")
        self._count(aim, mirror, result, version)

    def _version(self, mirror: Mirror) -> Version:
        """The version that takes a copy. Raises Unavailable if none can."""
        found = self._dispatcher.snapshot.deployments.get(mirror.deployment)
        if found is None:
            raise Unavailable(f"there is no deployment {mirror.deployment!r}")
        return choose_version(
            found, named="", key=None, rng=self._rng, ready=self._dispatcher.choices.is_reached
        )

    async def close(self) -> None:
        """Gives up what is under way."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
