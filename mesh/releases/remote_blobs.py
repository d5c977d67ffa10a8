"""Archives in a store that fsspec reaches: S3 and those that speak it, and others by their URL."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import fsspec

from mesh.errors import ConfigError, NotFound, Unavailable
from mesh.releases.blobs import Arrived, Kept, hex_of, receive

_T = TypeVar("_T")
_PIECE = 8 * 2**20
"""Bytes of a part of an upload to the store; it has three or four of them in memory."""
EXTRAS = {"s3": "s3", "s3a": "s3"}
"""Our extra that has the driver of a scheme."""


class RemoteBlobs:
    """See contract.Blobs and blobs.Vault. `url` is such as `s3://bucket/prefix`.

    Endpoint, region and credentials are those of the environment (`AWS_...`); `options` are those
    of the driver. Contents come to the folder `incoming` of this machine first.

    Raises ConfigError if there is no driver for the URL.
    """

    def __init__(self, url: str, incoming: Path, **options: Any) -> None:
        self.incoming = incoming
        self._url = url.rstrip("/")
        self._files = _driver(self._url, options)
        self._sizes: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<RemoteBlobs {self._url}>"

    async def put(self, chunks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """As of Blobs."""
        arrived = await receive(chunks, self.incoming, limit)
        await self.keep(arrived)
        return arrived.digest, arrived.size

    async def keep(self, arrived: Arrived) -> None:
        """As of Vault. Raises Unavailable."""
        address = self._address(arrived.digest)
        try:
            await self._do(lambda: self._send(arrived.path, address))
        finally:
            await asyncio.to_thread(arrived.path.unlink, missing_ok=True)

    def _send(self, path: Path, address: str) -> None:
        # Its own put_file takes parts of 50 MiB, several at once.
        with (
            path.open("rb") as source,
            self._files.open(address, "wb", block_size=_PIECE) as target,
        ):
            while piece := source.read(2**20):
                target.write(piece)

    async def size(self, digest: str) -> int | None:
        """As of Blobs. Raises Unavailable."""
        address = self._address(digest)
        try:
            return int(await self._do(lambda: self._files.size(address)))
        except FileNotFoundError:
            return None

    async def read(self, digest: str, offset: int, limit: int) -> bytes:
        """As of Blobs. Raises Unavailable."""
        address = self._address(digest)
        try:
            if digest not in self._sizes:  # a content never changes
                self._sizes[digest] = int(await self._do(lambda: self._files.size(address)))
            end = min(offset + limit, self._sizes[digest])
            if offset >= end:
                return b""
            found = await self._do(lambda: self._files.cat_file(address, start=offset, end=end))
        except FileNotFoundError:
            raise NotFound(f"there is no content {digest}") from None
        return bytes(found)

    async def delete(self, digest: str) -> None:
        """As of Blobs. Raises Unavailable."""
        address = self._address(digest)
        self._sizes.pop(digest, None)
        try:
            await self._do(lambda: self._files.rm_file(address))
        except FileNotFoundError:
            return

    async def all(self) -> tuple[Kept, ...]:
        """As of Vault. Raises Unavailable."""
        return tuple(await self._do(lambda: list(self._all())))

    def _all(self) -> Iterator[Kept]:
        self._files.invalidate_cache()
        for path, found in self._files.find(f"{self._url}/sha256", detail=True).items():
            digits = "".join(path.rsplit("/", 2)[-2:])
            changed = found.get("LastModified") or found.get("mtime") or datetime.now(UTC)
            at = changed.timestamp() if isinstance(changed, datetime) else float(changed)
            yield Kept(f"sha256:{digits}", int(found["size"]), at)

    def _address(self, digest: str) -> str:
        digits = hex_of(digest)
        return f"{self._url}/sha256/{digits[:2]}/{digits[2:]}"

    async def _do(self, work: Callable[[], _T]) -> _T:
        """Does something in a thread. Raises FileNotFoundError, and Unavailable for the rest."""
        try:
            return await asyncio.to_thread(work)
        except FileNotFoundError:
            raise
        except Exception as error:
            # Drivers raise errors of all kinds, with addresses and more in their texts.
            raise Unavailable(f"the store of releases fails: {type(error).__name__}") from error


def _driver(url: str, options: dict[str, Any]) -> Any:
    scheme = url.partition("://")[0]
    try:
        files, _ = fsspec.core.url_to_fs(url, use_listings_cache=False, **options)
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        needs = f"needs serving-mesh[{extra}]" if extra else f"needs a driver: {error}"
        raise ConfigError(f"--releases {scheme}://...: {needs}") from None
    except (ValueError, OSError) as error:
        raise ConfigError(f"--releases {scheme}://...: {error}") from None
    return files
