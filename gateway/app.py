"""The ASGI application that Envoy runs: a gateway from its lifespan's start to its end."""

import asyncio
import ctypes
import logging
import os
import signal
import sys
from pathlib import Path
from random import Random

from gateway.asgi import BrokenReplyError, Receive, Scope, Send
from gateway.drain import Files, Termination
from gateway.main import Gateway
from gateway.mirror_metrics import MirrorMetrics
from gateway.service_metrics import ServiceMetrics
from gateway.settings import Settings
from mesh.clock import monotonic
from mesh.control.loads import Report
from mesh.errors import MeshError
from mesh.link.dispatch import Dispatcher
from mesh.link.pool import Pool
from mesh.link.reach import connect
from mesh.link.report import Reporter
from mesh.link.watch import Watch
from mesh.memory import settle
from mesh.observe import logs
from mesh.observe.metrics import CONTENT_TYPE, RequestMetrics, render
from mesh.observe.tracing import Tracing

log = logging.getLogger("mesh.gateway")

FIRST_SNAPSHOT_WAIT = 10.0
"""Seconds that a starting gateway waits for the controller before it listens without routes."""
_PR_SET_PDEATHSIG = 1  # prctl(2)


class Application:
    """Makes the gateway when the server starts, and ends it when the server stops."""

    def __init__(self) -> None:
        self._gateway: Gateway | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif self._gateway is not None:
            try:
                await self._gateway(scope, receive, send)
            except BrokenReplyError as broken:
                # The server aborts the body, and writes down all of the traceback that there is.
                raise broken.with_traceback(None) from None

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            settings = Settings.from_env(os.environ)
            parts = _Parts(settings)
        except MeshError as error:
            await send({"type": "lifespan.startup.failed", "message": error.message})
            return
        await parts.start()
        settle()
        self._gateway = parts.gateway
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await parts.close()
        await send({"type": "lifespan.shutdown.complete"})


class _Parts:
    """What a gateway process is made of."""

    def __init__(self, settings: Settings) -> None:
        logs.configure(stream=sys.stderr, level=settings.log_level, json=settings.log_json)
        if settings.parent:
            _end_with(settings.parent)
        rng = Random()  # noqa: S311  # for spreading load
        metrics = RequestMetrics()
        services, mirrored = ServiceMetrics(), MirrorMetrics()
        self._tracing = Tracing.from_env(os.environ, service_name="mesh-gateway")
        self._pool = Pool(connect, monotonic, rng)
        dispatcher = Dispatcher(self._pool, monotonic, rng)
        self._watch = Watch(
            settings.controller, settings.name, dispatcher.follow, rng, token=settings.token
        )
        self._reporter = Reporter(settings.controller, settings.name, self._measure, rng, monotonic)
        dispatcher.turns.when_waiting(self._reporter.wake)
        self._dispatcher = dispatcher
        self.gateway = Gateway(
            dispatcher,
            clock=monotonic,
            tracing=self._tracing,
            metrics=metrics,
            render_metrics=lambda: (CONTENT_TYPE.encode(), render(metrics, services, mirrored)),
            max_request_bytes=settings.max_request_bytes,
            body_timeout=settings.body_timeout,
            services=services,
            mirrored=mirrored,
            rng=rng,
        )
        self._settings = settings
        self._termination: Termination | None = None

    async def start(self) -> None:
        settings = self._settings
        if settings.admin:
            files = Files(Path(settings.admin), Path(settings.folder) if settings.folder else None)
            self._termination = Termination(files, monotonic, self.gateway.leave, settings.grace)
        self._watch.start()
        self._reporter.start()
        try:
            async with asyncio.timeout(FIRST_SNAPSHOT_WAIT):
                await self._watch.first()
        except TimeoutError:
            log.warning("no controller yet: listening without routes until it comes")

    def _measure(self, _: float) -> Report:
        outcomes = self.gateway.outcomes.take()
        uses = self.gateway.guard.take_uses()
        return Report(waiting=self._dispatcher.turns.waiting(), outcomes=outcomes, uses=uses)

    async def close(self) -> None:
        if self._termination is not None:
            self._termination.close()
        await self._reporter.close()
        await self._watch.close()
        await self.gateway.close()
        await self._pool.close()
        self._tracing.close()


def _end_with(parent: int) -> None:
    """Lets the system end this process when `parent`, which started it, is gone.

    Envoy runs Python in a thread, so the request is per thread; any thread's counts.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the request was made
        os.kill(os.getpid(), signal.SIGTERM)


app = Application()
