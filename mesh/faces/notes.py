"""What was done through an API is noted in the journal, by whatever face it came."""

import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mesh.access.principal import Principal
from mesh.control.store.catalogue import Deed, Journal
from mesh.errors import MeshError

_log = logging.getLogger(__name__)

SUCCESS, FAILED = "success", "failed"
REASON = 1_000
"""Characters of a reason that are kept."""
_REPLY = 8_192
"""Bytes of a failed reply in which a reason is looked for."""


@dataclass(slots=True)
class Doing:
    """What a request is about to do; routes fill in what they learn.

    With an `operation` it is noted in the journal, whatever becomes of it. `resource` holds no
    secrets.
    """

    resource_type: str
    operation: str
    name: str = ""
    resource: dict[str, Any] = field(default_factory=dict)


class Notes:
    """Writes deeds into the journal. `wall` gives seconds since the Unix epoch."""

    def __init__(
        self,
        journal: Journal,
        wall: Callable[[], float] = time.time,
        new_uid: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self._journal = journal
        self._wall = wall
        self._new_uid = new_uid

    def __repr__(self) -> str:
        return f"Notes({self._journal!r})"

    async def note(self, who: Principal, doing: Doing, status: str, reason: str = "") -> None:
        """Notes what was done. What cannot be noted is logged: it is done all the same."""
        deed = Deed(
            at=self._wall(),
            uid=self._new_uid(),
            organization=who.organization,
            user=who.user,
            token=who.token,
            resource_type=doing.resource_type,
            name=doing.name,
            operation=doing.operation,
            status=status,
            reason=reason[:REASON],
            resource=doing.resource,
        )
        try:
            await self._journal.note(deed)
        except MeshError as error:
            _log.error("an event could not be noted: %s", error.message)

    @asynccontextmanager
    async def of(self, who: Principal, doing: Doing) -> AsyncIterator[Doing]:
        """Notes what is done while the block lasts, and how it ended."""
        try:
            yield doing
        except MeshError as error:
            await self.note(who, doing, FAILED, error.message)
            raise
        except Exception:
            await self.note(who, doing, FAILED)
            raise
        await self.note(who, doing, SUCCESS)


class Noting:
    """In front of an app whose routes say what they do (see cloud.permission): notes it.

    Whoever let the request in has put its `principal` into the state of the scope. When the last
    of a reply is sent, the deed is kept.
    """

    def __init__(self, app: ASGIApp, notes: Notes) -> None:
        self._app = app
        self._notes = notes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request or WebSocket."""
        state = scope.setdefault("state", {})
        state["doing"] = None
        exchange = _Exchange(state, send, self._notes)
        try:
            await self._app(scope, receive, exchange.send)
        finally:
            await exchange.note()


class _Exchange:
    """One request, of whose reply the status is remembered, and the text if it failed."""

    def __init__(self, state: dict[str, Any], send: Send, notes: Notes) -> None:
        self._state = state
        self._send = send
        self._notes = notes
        self._status = 500
        self._text = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body":
            if self._status >= 400:
                self._text += message.get("body", b"")[: _REPLY - len(self._text)]
            if not message.get("more_body"):
                await self.note()
        await self._send(message)

    async def note(self) -> None:
        """Notes what was done, once."""
        doing: Doing | None = self._state.pop("doing", None)
        who: Principal | None = self._state.get("principal")
        if doing is not None and who is not None:
            doing.name = unquote(doing.name)
            status = SUCCESS if 200 <= self._status < 300 else FAILED
            await self._notes.note(who, doing, status, self._reason())

    def _reason(self) -> str:
        """What a failed reply says went wrong; empty if nothing is known."""
        try:
            told = json.loads(self._text)
        except ValueError:
            return ""
        reason = told.get("error") if isinstance(told, dict) else None
        return reason if isinstance(reason, str) else ""
