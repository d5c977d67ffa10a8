"""What goes wrong in the control API, in one line of JSON: `{"error": "..."}`."""

import logging
import math

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from mesh.config.parsed import sentence
from mesh.errors import MeshError

_log = logging.getLogger(__name__)


def handle_failures(app: FastAPI) -> None:
    """Has `app` answer so, whatever goes wrong."""
    app.exception_handler(MeshError)(_ours)
    app.exception_handler(RequestValidationError)(_wrong)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(Exception)(_unknown)


async def _ours(_: Request, error: MeshError) -> Response:
    reply = _line(error.message, error.status)
    if error.retry_after is not None:
        reply.headers["retry-after"] = str(math.ceil(error.retry_after))
    if error.status == 401:
        reply.headers["www-authenticate"] = "Bearer"
    return reply


async def _wrong(_: Request, error: RequestValidationError) -> Response:
    """A parameter or body that is none: its key is named, without the value, as of a setting."""
    faults = [{**fault, "loc": _place(fault["loc"])} for fault in error.errors()]
    return _line(sentence(faults), 400)


def _place(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Where in the body, if it is there; else which parameter."""
    return location[1:] if len(location) > 1 and location[0] in ("body", "query") else location


async def _http(request: Request, error: HTTPException) -> Response:
    what = {404: f"there is no {request.url.path}", 405: f"not by {request.method}"}
    line = _line(what.get(error.status_code, error.detail), error.status_code)
    if error.status_code == 405:
        line.headers["allow"] = _methods(request) or (error.headers or {}).get("Allow", "")
    return line


def _methods(request: Request) -> str:
    """The methods of a path, as the document has them: each is a route of its own."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    paths: dict[str, dict[str, object]] = request.app.openapi()["paths"]
    matching = [each for each in paths if compile_path(each)[0].fullmatch(path)]
    # Of several, a document means the one with fewer parameters.
    found = paths[min(matching, key=lambda each: each.count("{"))] if matching else {}
    return ", ".join(sorted(method.upper() for method in found))


async def _unknown(_: Request, error: Exception) -> Response:
    _log.error("a request of the control API failed", exc_info=error)
    return _line("internal error", 500)


def _line(message: str, status: int) -> Response:
    """Whatever is in the message, such as names that somebody gave: it is one line."""
    return JSONResponse({"error": " ".join(message.split())}, status)
