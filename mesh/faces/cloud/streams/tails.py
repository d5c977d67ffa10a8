"""What replicas write, told over a WebSocket as it grows."""

import base64
from collections.abc import Mapping
from typing import Any

from fastapi import WebSocket

from mesh.errors import InvalidArgument
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.wire.pods import success

PIECE = 8 * 2**10
"""Characters of a log in one message: with four bytes each, in base64 and an envelope, they stay
below 64 KiB, which is all that the client takes; and no character is cut in two."""
LINES = 500
"""Lines from before that are sent at most."""
LINE = 200
"""Bytes that a line is taken to have, when the last lines are asked for."""


def wish_of(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a client asks for. Raises InvalidArgument for what says nothing such."""
    payload = message.get("payload")
    if not isinstance(payload, dict):
        raise InvalidArgument("payload: an object with id, follow and tail_lines")
    return payload


def bytes_of(wish: Mapping[str, Any]) -> int:
    """Bytes of the last lines that are asked for, as far as these can be guessed."""
    lines = wish.get("tail_lines")
    if not isinstance(lines, int) or isinstance(lines, bool) or lines < 0:
        lines = LINES
    return max(min(lines, LINES) * LINE, LINE)


async def send_new(
    backing: Backing,
    socket: WebSocket,
    replica: str,
    wish: str,
    place: int,
    limit: int,
    *,
    replaces: bool = True,
) -> int:
    """Sends what is new after a place; returns where the next piece begins."""
    while True:
        chunk = await backing.verbs.logs(replica, place, limit)
        await send_text(socket, wish, chunk.text, is_first=place < 0 and replaces)
        if not chunk.text or place < 0:
            return chunk.next
        place = chunk.next


async def send_text(socket: WebSocket, wish: str, text: str, *, is_first: bool = False) -> None:
    """Sends text as answers to a wish; the first takes the place of what its client has."""
    for begin in range(0, len(text), PIECE):
        piece = base64.b64encode(text[begin : begin + PIECE].encode()).decode()
        kind = "replace" if is_first and not begin else "append"
        await socket.send_json(success({"req_id": wish, "type": kind, "items": [piece]}))
