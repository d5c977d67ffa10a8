"""How archives get into the registry: as a whole, or in parts that are put together."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from mesh.control.store.catalogue import Entry, Kind, Put, Remove
from mesh.errors import (
    Code,
    FailedPrecondition,
    InvalidArgument,
    MeshError,
    NotFound,
    TooLarge,
)
from mesh.releases.archive import check
from mesh.releases.blobs import Arrived, receive
from mesh.releases.documents import check_document
from mesh.releases.packages import FAMILIES, Package, Status, package_of
from mesh.releases.parts import Part, Parts, checked_number
from mesh.releases.registry import Registry

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Uploads:
    """What is on its way. For one event loop.

    Of one version, one archive is received or put together at a time; parts come in any order, and
    each as often as its client likes. What is there stays when a client goes away.
    """

    registry: Registry
    _busy: set[str] = field(default_factory=set)

    async def start(self, package: Package) -> Package:
        """Says that an upload begins, or begins again. Raises MeshError (409) while one goes on."""
        self._require_idle(package)
        await self.registry.admit(package, package.said_size)
        async with self.registry.changing(package) as changing:
            changing.made = changing.now.started(self.registry.wall())
        return changing.made

    async def whole(
        self, package: Package, chunks: AsyncIterator[bytes], length: int | None, *, is_done: bool
    ) -> Package:
        """Takes an archive in one piece of `length` bytes (None: it is not said), and checks it.

        With `is_done` the upload has succeeded then; else `finish` says so. If it raises, nothing
        of it is left and the upload has failed.

        Raises:
            FailedPrecondition: no upload was started.
            TooLarge: it is larger than archives may be.
            InvalidArgument: it is no archive of this version.
            Unavailable: there is no room for it.
            MeshError: (409) another one goes on.
        """
        _require_uploading(package)
        await self.registry.admit(package, length or 0)
        with self._sole(package):
            try:
                limit = await self.registry.most(package)
                arrived = await receive(chunks, self.registry.vault.incoming, limit)
                return await self._accept(package, arrived, is_done=is_done)
            except MeshError as error:
                await self._fail(package, error.message)
                raise
            except Exception:
                await self._fail(package, "the upload went wrong inside the mesh")
                raise

    async def start_parts(self, package: Package) -> Package:
        """Gives the upload an id, the same as long as it goes on. Raises FailedPrecondition."""
        _require_uploading(package)
        async with self.registry.changing(package) as changing:
            now = changing.now
            if now.upload_id:
                return now
            upload = self._upload(now, self.registry.new_uid())
            changing.made = replace(now, upload_id=upload.name)
            changing.changes.append(Put(upload, is_new=True))
        return changing.made

    def _upload(self, package: Package, upload_id: str) -> Entry:
        at = self.registry.wall()
        document = {"family": package.family.word, "uid": package.uid}
        return Entry(
            Kind.UPLOAD,
            upload_id,
            upload_id,
            at,
            at,
            document,
            package.family.word,
            package.organization,
        )

    async def of(self, upload_id: str) -> Package:
        """The version that an upload is of. Raises NotFound for one that ended or never was."""
        upload = await self.registry.catalogue.entry_of(Kind.UPLOAD, upload_id)
        family = FAMILIES.get(str(upload.document.get("family"))) if upload else None
        if upload is not None and family is not None:
            uid = str(upload.document.get("uid"))
            entry = await self.registry.catalogue.entry_of(family.version, uid)
            if entry is not None:
                return package_of(family, entry)
        raise NotFound("there is no such upload, or it has ended")

    def require_part(self, package: Package, upload_id: str, number: int) -> None:
        """Raises unless this part may be uploaded: InvalidArgument, FailedPrecondition."""
        _require_uploading(package)
        checked_number(number)
        if not upload_id or package.upload_id != upload_id:
            raise InvalidArgument(f"upload_id: not that of the upload of {package.tag}")

    async def part(
        self, upload_id: str, number: int, chunks: AsyncIterator[bytes], length: int | None
    ) -> Part:
        """Takes one part; one that fails may be sent again.

        Raises NotFound, FailedPrecondition, TooLarge, InvalidArgument; Unavailable without room.
        """
        package = await self.of(upload_id)
        self.require_part(package, upload_id, number)
        parts = self._parts(upload_id)
        there = await asyncio.to_thread(parts.all)
        others = sum(part.size for part in there.values() if part.number != number)
        left = await self.registry.most(package) - others
        limit = min(self.registry.limits.part, left)
        if (length or 0) > limit:
            raise TooLarge(f"a part holds at most {max(limit, 0)} bytes here, not {length}")
        arrived = await receive(chunks, self.registry.vault.incoming, limit)
        return await asyncio.to_thread(parts.keep, number, arrived)

    async def join(
        self, package: Package, upload_id: str, wanted: Sequence[tuple[int, str]]
    ) -> Package:
        """Puts parts together, and checks the archive; `finish` says that it is done.

        Parts stay until it is whole. If it raises, the version says why until that is tried again:
        the client may not have heard it. Raises InvalidArgument, FailedPrecondition, or MeshError
        (409) while that goes on.
        """
        if package.upload_id == "" and package.arrived is not None:
            return package  # said twice
        self.require_part(package, upload_id, 1)
        with self._sole(package):
            limit = await self.registry.most(package)
            parts = self._parts(upload_id)
            try:
                arrived = await asyncio.to_thread(parts.joined, wanted, limit)
                made = await self._accept(package, arrived, is_done=False)
            except MeshError as error:
                await self._blame(package, error.message)
                raise
            except Exception:
                await self._blame(package, "the upload went wrong inside the mesh")
                raise
            made = await self._forget(made)
        await asyncio.to_thread(parts.remove)
        return made

    async def _forget(self, package: Package) -> Package:
        """Ends an upload in parts."""
        upload = await self.registry.catalogue.entry_of(Kind.UPLOAD, package.upload_id)
        async with self.registry.changing(package) as changing:
            changing.made = replace(changing.now, upload_id="", reason="")
            changing.changes += [Remove(upload)] if upload else []
        return changing.made

    async def finish(self, package: Package, status: str, reason: str) -> Package:
        """Ends an upload, as its client says: `success` or `failed`.

        Why parts could not be joined stays, whatever the client says of that: it may not have heard
        it. Raises InvalidArgument for another status, FailedPrecondition if nothing was uploaded.
        """
        if status not in (Status.SUCCESS, Status.FAILED):
            raise InvalidArgument(f"status: {status[:100]!r} is neither success nor failed")
        self._require_idle(package)
        async with self.registry.changing(package) as changing:
            now, at = changing.now, self.registry.wall()
            if status == Status.FAILED:
                known = now.reason if now.status is Status.UPLOADING else ""
                failed = now.failed(known or reason, at)
                changing.made = now if now.status is Status.SUCCESS else failed
            elif now.arrived is not None or now.manifest.get("dev"):
                changing.made = now.succeeded(now.arrived, at, reason)
            elif now.status is not Status.SUCCESS:
                raise FailedPrecondition(f"nothing was uploaded of {now.family.word} {now.tag}")
        return changing.made

    async def _accept(self, package: Package, arrived: Arrived, *, is_done: bool) -> Package:
        """Makes a file that has come the archive of a version, if it is one."""
        registry = self.registry
        archive = (arrived.digest, arrived.size)
        try:
            await asyncio.to_thread(_check, arrived, package, registry)
            # Named first: what is named is not dropped.
            async with registry.changing(package) as changing:
                _require_uploading(changing.now)
                changing.made = replace(changing.now, arrived=archive)
            await self._keep(package, arrived)
        finally:
            await asyncio.to_thread(arrived.path.unlink, missing_ok=True)
        if is_done:
            async with registry.changing(package) as changing:
                changing.made = changing.now.succeeded(archive, registry.wall())
        return changing.made

    async def _keep(self, package: Package, arrived: Arrived) -> None:
        try:
            await self.registry.vault.keep(arrived)
        except BaseException:
            async with self.registry.changing(package) as changing:
                changing.made = replace(changing.now, arrived=None)
            raise

    async def _fail(self, package: Package, reason: str) -> None:
        try:
            async with self.registry.changing(package) as changing:
                if changing.now.status is Status.UPLOADING:
                    changing.made = changing.now.failed(reason, self.registry.wall())
        except MeshError as error:
            _log.warning("a failed upload of %s is not noted: %s", package.tag, error.message)

    async def _blame(self, package: Package, reason: str) -> None:
        """Notes what went wrong with an upload that may go on."""
        try:
            async with self.registry.changing(package) as changing:
                if changing.now.status is Status.UPLOADING:
                    changing.made = replace(changing.now, reason=reason[:1000])
        except MeshError as error:
            _log.warning("what is wrong with %s is not noted: %s", package.tag, error.message)

    def _parts(self, upload_id: str) -> Parts:
        return Parts(self.registry.vault.incoming, upload_id)

    def _require_idle(self, package: Package) -> None:
        if package.uid in self._busy:
            raise MeshError(
                f"{package.family.word} {package.tag} is being uploaded already",
                code=Code.ABORTED,
            )

    @contextmanager
    def _sole(self, package: Package) -> Iterator[None]:
        self._require_idle(package)
        self._busy.add(package.uid)
        try:
            yield
        finally:
            self._busy.discard(package.uid)


def _check(arrived: Arrived, package: Package, registry: Registry) -> None:
    document = package.family.document
    contents = check(arrived.path, document, registry.limits.archive)
    check_document(document, contents.document, package.repository, package.version)


def _require_uploading(package: Package) -> None:
    if package.status is not Status.UPLOADING:
        raise FailedPrecondition(
            f"the upload of {package.family.word} {package.tag} was not started (start_upload)"
        )
