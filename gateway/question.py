"""Questions of the gateway's own, which replicas answer by methods that no client can call."""

import asyncio
from dataclasses import replace

from mesh.call import JSON, CallHead
from mesh.clock import Clock
from mesh.link.dispatch import Dispatcher
from mesh.link.limits import timed_out
from mesh.traffic.snapshot import Service

MAX_BYTES = 16 * 2**20
"""The longest answer."""


class Questions:
    """Asks one replica of a service, as any request would reach one."""

    def __init__(self, dispatcher: Dispatcher, clock: Clock) -> None:
        self._dispatcher = dispatcher
        self._clock = clock

    async def ask(
        self,
        service: Service,
        method: str,
        *,
        request_id: str,
        patience: float,
        media_type: str = JSON,
        body: bytes = b"",
    ) -> bytes:
        """The whole answer. Raises MeshError if there is none within `patience` seconds."""
        # A service that is busy is well: its limit is for calls, and so is its queue.
        service = replace(service, max_concurrency=0, queue_limit=0, cold_start=0.0)
        head = CallHead(
            method, media_type, deadline=self._clock() + patience, request_id=request_id
        )
        try:
            async with asyncio.timeout(patience):
                return await self._answer(service, head, body)
        except TimeoutError:
            raise timed_out(None) from None

    async def _answer(self, service: Service, head: CallHead, body: bytes) -> bytes:
        call = await self._dispatcher.ask(lambda: service, head, body, idempotent=True)
        try:
            return await call.message(MAX_BYTES) or b""
        finally:
            call.cancel()  # nothing, if all of the answer is here
