"""The Open Inference Protocol over HTTP: its pages, and its calls as calls of methods."""

import json
from dataclasses import dataclass
from typing import Any

from gateway import errors
from gateway.admin import Page
from gateway.authorization import Guard
from gateway.forward import Aim, Request
from gateway.open_inference_metadata import index, model_config, model_metadata, server_metadata
from gateway.open_inference_models import check_ready, find, is_ready, models, name_of, picker
from gateway.open_inference_paths import PREFIX, Question, What, question
from mesh import inflate
from mesh.errors import Code, InvalidArgument, MeshError, NotFound
from mesh.io.open_inference import media
from mesh.io.open_inference.media import Body
from mesh.link.dispatch import Dispatcher
from mesh.traffic.route import endpoint_of
from mesh.traffic.snapshot import Snapshot

_HEADER = b"inference-header-content-length"
GET = ("GET", "HEAD")
POST = ("POST",)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the protocol. `request` is it as the rest of the gateway is to see it."""

    dispatcher: Dispatcher
    guard: Guard
    endpoint: str
    path: str
    request: Request
    encoding: str
    """How the body is compressed; empty if it is not."""

    @property
    def verbs(self) -> tuple[str, ...]:
        """Those with which its page can be asked for."""
        return POST if self.path.startswith(f"{PREFIX}/repository/") else GET

    def question(self) -> Question:
        """What it asks for. Raises MeshError if there is no such thing here."""
        found = question(self.path)
        if found is None:
            raise NotFound(f"there is nothing at {self.path!r}")
        return found

    def page(self, asked: Question) -> Page:
        """The page about server or model that it asks for. Raises MeshError."""
        snapshot, endpoint = self.dispatcher.snapshot, self.endpoint
        match asked.what:
            case What.SERVER:
                return _page(server_metadata())
            case What.LIVE:
                return _page({"live": True})
            case What.READY:
                ready = is_ready(snapshot, endpoint)
                return _page({"ready": ready}, 200 if ready else 503)
        shown = self.request.shown
        self.guard.admit_anywhere(shown, snapshot, snapshot.endpoints[endpoint])
        hidden = self.guard.hidden(shown, snapshot)
        if asked.what is What.INDEX:
            # A body could ask for ready ones only; all are told apart by their state.
            return _page(index(models(snapshot, endpoint, hidden), only_ready=False))
        found = find(snapshot, endpoint, asked.model, asked.version or self._named, hidden)
        match asked.what:
            case What.CONFIG:
                return _page(model_config(found[0]))
            case What.MODEL_READY:
                check_ready(found)
                return _page({"name": found[0].name, "ready": True})
        return _page(model_metadata(found))

    @property
    def _named(self) -> str:
        return self.request.text(b"x-mesh-version")

    def aim(self, asked: Question, verb: str) -> Aim:
        """Chooses the target of a call. Raises MeshError."""
        if verb != "POST":
            raise MeshError("Use POST", code=Code.UNIMPLEMENTED, http_status=405)
        request = at_version(self.request, asked.version)
        pick = picker(asked.model, streams=asked.what is What.GENERATE_STREAM)
        return Aim(self.dispatcher, self.guard, request, self.endpoint, pick)

    def media_type(self, asked: Question, aim: Aim, default_limit: int) -> str:
        """What its body is, for the replica. Raises InvalidArgument for a header that is wrong."""
        request = self.request
        header = request.text(_HEADER)
        if header and not (header.isascii() and header.isdecimal() and len(header) < 16):
            raise InvalidArgument("Inference-Header-Content-Length is no number of bytes")
        is_infer = asked.what is What.INFER
        limit = aim.target.service.max_request_bytes or default_limit
        accepted = request.text(b"accept-encoding").strip().lower()
        return str(
            Body(
                media.JSON if is_infer else media.GENERATE,
                name_of(aim),
                aim.target.version.name,
                header=int(header) if header and is_infer else None,
                encoding=self.encoding,
                limit=limit if self.encoding else 0,
                # Who names one encoding wants it; most clients name all that they know.
                compress=accepted if is_infer and accepted in inflate.WINDOWS else "",
                streams=asked.what is What.GENERATE_STREAM,
            )
        )


def asked(
    dispatcher: Dispatcher, guard: Guard, request: Request, at: tuple[str, str] | None
) -> Asked | None:
    """The request if it is one of the protocol; a method at its path comes first.

    `at` are endpoint and path, if they are known.
    """
    if PREFIX not in request.path:
        return None
    snapshot = dispatcher.snapshot
    try:
        endpoint, path = at or endpoint_of(
            snapshot,
            authority=request.text(b"host"),
            header=request.text(b"x-mesh-endpoint"),
            path=request.path,
        )
    except NotFound:
        # A gateway is alive, and not ready, without any endpoint.
        is_health = request.path.startswith(f"{PREFIX}/health/")
        return Asked(dispatcher, guard, "", request.path, request, "") if is_health else None
    if not (path == PREFIX or path.startswith(f"{PREFIX}/")) or _is_method(
        snapshot, endpoint, path
    ):
        return None
    encoding = request.text(b"content-encoding").lower()
    if encoding not in inflate.WINDOWS:
        encoding = ""
    else:
        fields = {key: each for key, each in request.fields.items() if key != b"content-encoding"}
        request = request._replace(fields=fields)
    return Asked(dispatcher, guard, endpoint, path, request, encoding)


def _is_method(snapshot: Snapshot, endpoint: str, path: str) -> bool:
    """Whether a version of the endpoint has a method at the path."""
    for name in snapshot.endpoints[endpoint].reachable:
        deployment = snapshot.deployments.get(name)
        for version in deployment.versions if deployment is not None else ():
            entry = version.services.get(version.entry)
            if entry is not None and path in entry.routes:
                return True
    return False


def at_version(request: Request, version: str) -> Request:
    """The request as one that asks for the version; as it is if that is empty."""
    if not version:
        return request
    return request._replace(fields={**request.fields, b"x-mesh-version": version.encode()})


def told(error: MeshError) -> tuple[bytes, bytes]:
    """Media type and body of the reply to a request that failed: all that is wrong is one text."""
    return errors.JSON, json.dumps({"error": errors.sentence(error)}, ensure_ascii=False).encode()


def _page(value: Any, status: int = 200) -> Page:
    return Page(status, errors.JSON, json.dumps(value, separators=(",", ":")).encode())
