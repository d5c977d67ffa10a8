"""Bodies that are archives: taken as they come, and sent piece by piece, or a range of them."""

import re
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from mesh.errors import Cancelled, NotFound
from mesh.releases.blobs import Vault

_PIECE = 2**20
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


async def body(request: Request) -> AsyncIterator[bytes]:
    """What comes, until all of it has. Raises Cancelled if the client goes away before."""
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise Cancelled("the client went away before all of it had come") from None


def length(request: Request) -> int | None:
    """How much the client says will come; None if it does not say."""
    said = request.headers.get("content-length", "")
    return int(said) if said.isdecimal() and len(said) < 20 else None


RANGED: dict[int | str, dict[str, Any]] = {
    206: {"description": "The range that was asked for"},
    416: {"description": "The archive ends before the range begins"},
}
"""What `archive` answers besides 200, as OpenAPI says it."""


async def archive(request: Request, vault: Vault, digest: str) -> Response:
    """An archive, or the range of it that is asked for. Raises NotFound."""
    size = await vault.size(digest)
    if size is None:
        raise NotFound("this archive is not there any more")
    fields = {"accept-ranges": "bytes", "etag": f'"{digest.partition(":")[2]}"'}
    first, last, status = 0, size - 1, 200
    found = _range(request.headers.get("range", ""), size)
    if found is not None:
        first, last = found
        status = 206 if first <= last else 416
        fields["content-range"] = (
            f"bytes {first}-{last}/{size}" if status == 206 else f"bytes */{size}"
        )
    if status == 416:
        return Response(status_code=416, headers=fields)
    fields["content-length"] = str(last - first + 1)
    media_type = "application/x-tar"
    if request.method == "HEAD":
        return Response(None, status, fields, media_type)
    pieces = _pieces(vault, digest, first, last)
    return StreamingResponse(pieces, status, fields, media_type)


async def _pieces(vault: Vault, digest: str, first: int, last: int) -> AsyncIterator[bytes]:
    while first <= last:
        piece = await vault.read(digest, first, min(_PIECE, last - first + 1))
        if not piece:
            return
        yield piece
        first += len(piece)


def _range(field: str, size: int) -> tuple[int, int] | None:
    """The first and last byte that are asked for; None for all, an empty range for none."""
    found = _RANGE.fullmatch(field)
    if found is None or field == "bytes=-":
        return None  # not understood, or several: all of it is an answer too
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size - 1
    end = min(int(last), size - 1) if last else size - 1
    if last and int(last) < int(first):
        return None
    return int(first), end
