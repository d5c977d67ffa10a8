"""Signed addresses of archives, on this same port: they carry no token."""

import asyncio
import re
from dataclasses import dataclass, field

from starlette.requests import Request

from mesh.errors import InvalidArgument
from mesh.faces.cloud.backing import Backing
from mesh.releases.packages import Package
from mesh.releases.signing import Signer, kept_signer

VALID = 6 * 3600.0
"""Seconds for which an address is good."""
_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")


@dataclass(slots=True)
class SignedAddresses:
    """Makes addresses as whoever asks can reach them, and checks those that are used."""

    backing: Backing
    _signer: Signer | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of_whole(self, request: Request, package: Package) -> str:
        """Where an archive may be put in one piece."""
        return await self._signed(request, "PUT", f"/uploads/{package.family.word}/{package.uid}")

    async def of_part(self, request: Request, upload_id: str, number: int) -> str:
        """Where a part may be put."""
        return await self._signed(request, "PUT", f"/uploads/parts/{upload_id}/{number}")

    async def of_download(self, request: Request, package: Package) -> str:
        """Where an archive is."""
        digits = package.digest.partition(":")[2]
        name = f"{package.repository}-{package.version}.tar"
        return await self._signed(request, "GET", f"/downloads/{digits}/{name}")

    async def check(self, request: Request) -> None:
        """Raises PermissionDenied unless the address of a request is a signed one that holds."""
        signer = await self._key()
        method = "GET" if request.method == "HEAD" else request.method
        query, now = dict(request.query_params), self.backing.wall()
        signer.check(method, request.url.path, query, now)

    async def _signed(self, request: Request, method: str, path: str) -> str:
        signer = await self._key()
        return _base(request) + signer.signed(method, path, self.backing.wall() + VALID)

    async def _key(self) -> Signer:
        async with self._lock:
            if self._signer is None:
                self._signer = await kept_signer(self.backing.catalogue, self.backing.wall())
        return self._signer


def _base(request: Request) -> str:
    """The address of this port as the client reaches it, through proxies that say so."""
    fields = request.headers
    scheme = fields.get("x-forwarded-proto", request.url.scheme).partition(",")[0].strip()
    prefix = fields.get("x-forwarded-prefix", "").rstrip("/")
    host = fields.get("host", "")
    if scheme not in ("http", "https") or not _HOST.fullmatch(host):
        raise InvalidArgument("Host, X-Forwarded-Proto: not those of an HTTP address")
    if not _PREFIX.fullmatch(prefix):
        raise InvalidArgument("X-Forwarded-Prefix: not the beginning of a path")
    return f"{scheme}://{host}{prefix}"
