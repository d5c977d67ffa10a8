"""What replicas write, over HTTP: whole lines, as they come if wanted."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Annotated, Protocol

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from mesh.control.observed import ObservedReplica
from mesh.control.records import DeploymentRecord
from mesh.control.verbs import LogChunk
from mesh.errors import MeshError
from mesh.faces.rest.access import Mine

LOOK_EVERY = 0.5
"""Seconds between two looks at logs that are followed."""
LONGEST_LINE = 2**16
"""Characters of a line that are kept until its end comes; of a longer one they are a line."""
NDJSON = "application/x-ndjson"


def logs() -> APIRouter:
    """The route `/deployments/{name}/logs`."""
    routes = APIRouter(prefix="/deployments/{name}/logs", tags=["deployments"])

    @routes.get(
        "",
        response_class=StreamingResponse,
        responses={
            200: {
                "content": {"text/plain": {}, NDJSON: {}},
                "description": "Lines; with `accept: application/x-ndjson` objects with the keys "
                "replica and line.",
            }
        },
    )
    async def get(
        verbs: Mine,
        name: str,
        request: Request,
        replica: Annotated[str, Query(description="Of this one only.")] = "",
        follow: Annotated[bool, Query(description="Go on as lines come.")] = False,
        limit: Annotated[int, Query(ge=1, le=2**20, description="Bytes of each at first.")] = 65536,
    ) -> StreamingResponse:
        """What its replicas wrote of late, a line each with the replica's id before it."""
        reader = LogReader(verbs, name, replica, limit)
        first = await reader.read()  # what is not there is a status, not a broken stream
        as_json = NDJSON in request.headers.get("accept", "")
        lines = _lines(reader, first, follow=follow)
        body = _json(lines) if as_json else _text(lines, with_id=not replica)
        return StreamingResponse(body, media_type=NDJSON if as_json else "text/plain")

    return routes


class Logs(Protocol):
    """What is needed to read logs; see verbs.Verbs."""

    def deployment(self, name: str) -> DeploymentRecord:
        """As of Verbs."""
        ...

    def replicas(self, name: str = "") -> Sequence[ObservedReplica]:
        """As of Verbs."""
        ...

    async def logs(self, replica_id: str, after: int = -1, limit: int = 65536) -> LogChunk:
        """As of Verbs."""
        ...


class LogReader:
    """Reads the logs of a deployment's replicas, those that come later too; or of one of them.

    Of each at most `limit` bytes from before the first look.
    """

    def __init__(self, verbs: Logs, deployment: str, replica: str, limit: int) -> None:
        self._verbs = verbs
        self._deployment = deployment
        self._replica = replica
        self._limit = limit
        self._next: dict[str, int] = {}
        self._rest: dict[str, str] = {}

    async def read(self) -> list[tuple[str, str]]:
        """New lines, each with the id of its replica.

        Raises NotFound without the deployment, and MeshError where the one replica that is wanted
        cannot be read; of several, each that can is.
        """
        self._verbs.deployment(self._deployment)
        if self._replica:
            return await self._new(self._replica)
        found = []
        for each in self._verbs.replicas(self._deployment):
            with suppress(MeshError):  # gone meanwhile, or its node is
                found += await self._new(each.id)
        return found

    async def _new(self, identity: str) -> list[tuple[str, str]]:
        chunk = await self._verbs.logs(identity, self._next.get(identity, -1), self._limit)
        self._next[identity] = chunk.next
        *lines, rest = (self._rest.get(identity, "") + chunk.text).split("\n")
        if len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], ""
        self._rest[identity] = rest
        return [(identity, line) for line in lines]

    def unfinished(self) -> list[tuple[str, str]]:
        """What is written of lines that have no end yet."""
        return [(identity, rest) for identity, rest in self._rest.items() if rest]


async def _lines(
    reader: LogReader, first: list[tuple[str, str]], *, follow: bool
) -> AsyncIterator[list[tuple[str, str]]]:
    yield first
    while follow:
        await asyncio.sleep(LOOK_EVERY)
        try:
            found = await reader.read()
        except MeshError:
            break  # what was followed is gone
        if found:
            yield found
    yield reader.unfinished()


async def _json(batches: AsyncIterator[list[tuple[str, str]]]) -> AsyncIterator[str]:
    async for batch in batches:
        yield "".join(json.dumps({"replica": who, "line": line}) + "\n" for who, line in batch)


async def _text(
    batches: AsyncIterator[list[tuple[str, str]]], *, with_id: bool
) -> AsyncIterator[str]:
    async for batch in batches:
        yield "".join(f"{who}: {line}\n" if with_id else f"{line}\n" for who, line in batch)
