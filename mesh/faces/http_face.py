"""The controller over HTTP: health, status, metrics, and the control API beside them."""

import asyncio
import socket
from dataclasses import asdict
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from mesh.access.contract import Access
from mesh.control.controller import Controller
from mesh.control.status import DeploymentPhase, DeploymentStatus
from mesh.errors import MeshError, Unavailable
from mesh.faces.cloud.app import cloud_app
from mesh.faces.cloud.backing import Backing
from mesh.faces.metrics import ControllerMetrics
from mesh.faces.notes import Notes
from mesh.faces.rest.access import Guard, mine
from mesh.faces.rest.app import PREFIX, rest_app

GRACE = 2
"""Seconds that requests have to finish when the server stops; logs are followed for ever."""
KEEP_ALIVE = 75
"""Seconds that a connection may be idle: longer than clients keep one (httpx 5, proxies 60), else
it is closed here just as they send the next request on it."""


_AS_WANTED = (
    DeploymentPhase.RUNNING,
    DeploymentPhase.SCALED_TO_ZERO,
    DeploymentPhase.TERMINATED,
)


def http_app(
    controller: Controller,
    access: Access,
    registry: CollectorRegistry | None = None,
    backing: Backing | None = None,
) -> Starlette:
    """The ASGI application. The controller's metrics are added to `registry`.

    With a `backing` the cloud API is there too.

    The control API and `/status` are for those who `access` lets in, health and metrics for all.
    """
    notes = Notes(backing.journal, backing.wall, backing.new_uid) if backing else None
    registry = registry or CollectorRegistry()
    registry.register(ControllerMetrics(controller))

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        if not controller.opened:
            return PlainTextResponse("starting", 503)
        waiting = [s for s in controller.status() if s.phase not in _AS_WANTED]
        text = "".join(f"{status.name}: {status.phase.name.lower()}\n" for status in waiting)
        return PlainTextResponse(text or "ok", 503 if waiting else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def status(request: Request) -> Response:
        await controller.until_opened()
        found = mine(request).status(request.query_params.get("deployment", ""))
        return JSONResponse({"deployments": [_status(status) for status in found]})

    guarded = [Middleware(Guard, access=access, verbs=controller)]
    return Starlette(
        routes=[
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/status", status, middleware=guarded),
            Mount(
                PREFIX,
                rest_app(controller, access, backing.deploying if backing else None, notes),
            ),
            *([Mount("/", cloud_app(backing))] if backing else ()),
        ],
        exception_handlers={MeshError: _refuse, 404: _not_here},
    )


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, MeshError):
        raise error
    return JSONResponse({"error": error.message}, error.status)


async def _not_here(request: Request, _: Exception) -> Response:
    """A path that no route takes, such as one with a line break."""
    return JSONResponse({"error": f"there is no {request.url.path}"}, 404)


def _status(status: DeploymentStatus) -> dict[str, Any]:
    return {**asdict(status), "phase": status.phase.label}


class HttpServer:
    """Listens for HTTP on the loop it is started on."""

    def __init__(self) -> None:
        self._listener: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    def bind(self, host: str, port: int = 0) -> int:
        """Takes an address; returns the port, which the system chooses for 0.

        Raises:
            Unavailable: the address cannot be listened on.
        """
        try:
            self._listener = socket.create_server((host, port))
        except OSError as error:
            why = error.strerror or str(error)
            raise Unavailable(f"cannot listen on {host}:{port}: {why}") from error
        return int(self._listener.getsockname()[1])

    def start(self, app: Starlette) -> None:
        """Answers with `app` on the address that is taken."""
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE,
            timeout_keep_alive=KEEP_ALIVE,
        )
        self._server = uvicorn.Server(config)
        sockets = [self._listener] if self._listener else None
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets))

    async def stop(self) -> None:
        """Stops; requests that run are finished."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
        if self._listener is not None:
            self._listener.close()
