"""Archives of releases and models on their way in and out, the same for both.

Small ones go through the API itself; large ones in parts, to signed addresses of this same port.
"""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from mesh.access.principal import Area, Verb
from mesh.errors import FailedPrecondition, NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.releases.addresses import SignedAddresses
from mesh.faces.cloud.releases.archives import RANGED, archive, body, length
from mesh.faces.cloud.releases.family import READ, FamilyFace
from mesh.faces.cloud.releases.patience import patiently
from mesh.faces.cloud.releases.shelves import Shelves, registry_of, uploads_of
from mesh.faces.cloud.wire.packages import FinishSent, PackageView, PartsDone, PartWanted
from mesh.releases.packages import FAMILIES, Package, package_of

_WRITE = may(Verb.WRITE, Area.RELEASES)
_OCTETS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string"}}},
    }
}


def add_transfer(routes: APIRouter, backing: Backing, face: FamilyFace) -> None:
    """Adds the routes of the archive of one version."""
    addresses = SignedAddresses(backing)
    path, view, found = face.version, face.view, partial(face.found, backing)
    pushed = may(Verb.WRITE, Area.RELEASES, face.word, "pushed")

    async def show(asker: Asker, package: Package) -> PackageView:
        return await face.show(Shelves(backing, asker.organization), package)

    @routes.patch(f"{path}/start_upload", response_model=view)
    async def start(repository: str, version: str, asker: Asker = _WRITE) -> PackageView:
        """Says that an upload begins, or begins again."""
        package = await found(asker, repository, version)
        return await show(asker, await uploads_of(backing).start(package))

    @routes.patch(f"{path}/finish_upload", response_model=view)
    async def finish(
        repository: str, version: str, sent: FinishSent, asker: Asker = pushed
    ) -> PackageView:
        """Says how an upload ended: `success` or `failed`, with the reason."""
        package = await found(asker, repository, version)
        asker.doing.resource["status"] = sent.status[:20]
        made = await uploads_of(backing).finish(package, sent.status, sent.reason)
        return await show(asker, made)

    @routes.put(f"{path}/upload", response_model=view, openapi_extra=_OCTETS)
    async def upload(
        repository: str, version: str, request: Request, asker: Asker = pushed
    ) -> PackageView:
        """Takes the archive, a plain tar, in one piece."""
        package = await found(asker, repository, version)
        made = await uploads_of(backing).whole(
            package, body(request), length(request), is_done=True
        )
        return await show(asker, made)

    @routes.head(f"{path}/download", include_in_schema=False)
    @routes.get(f"{path}/download", response_class=Response, responses=RANGED)
    async def download(
        repository: str, version: str, request: Request, asker: Asker = READ
    ) -> Response:
        """The archive, or a range of it."""
        package = await found(asker, repository, version)
        _require_archive(package)
        return await archive(request, registry_of(backing).vault, package.digest)

    @routes.patch(f"{path}/presign_upload_url", response_model=view)
    async def presign_upload(
        repository: str, version: str, request: Request, asker: Asker = _WRITE
    ) -> PackageView:
        """Says where the archive may be put in one piece, without a token."""
        package = await found(asker, repository, version)
        shown = await show(asker, package)
        where = await addresses.of_whole(request, package)
        return shown.model_copy(update={"presigned_upload_url": where})

    @routes.patch(f"{path}/presign_download_url", response_model=view)
    async def presign_download(
        repository: str, version: str, request: Request, asker: Asker = READ
    ) -> PackageView:
        """Says where the archive is, without a token; nowhere if it is kept elsewhere."""
        package = await found(asker, repository, version)
        shown = await show(asker, package)
        if package.is_elsewhere:
            return shown
        _require_archive(package)
        where = await addresses.of_download(request, package)
        return shown.model_copy(update={"presigned_download_url": where})

    @routes.patch(f"{path}/start_multipart_upload", response_model=view)
    async def start_parts(repository: str, version: str, asker: Asker = _WRITE) -> PackageView:
        """Gives the upload an id: the same one for as long as it goes on."""
        package = await found(asker, repository, version)
        return await show(asker, await uploads_of(backing).start_parts(package))

    @routes.patch(f"{path}/presign_multipart_upload_url", response_model=view)
    async def presign_part(
        repository: str, version: str, sent: PartWanted, request: Request, asker: Asker = _WRITE
    ) -> PackageView:
        """Says where a part may be put, without a token."""
        package = await found(asker, repository, version)
        uploads_of(backing).require_part(package, sent.upload_id, sent.part_number)
        where = await addresses.of_part(request, sent.upload_id, sent.part_number)
        shown = await show(asker, package)
        return shown.model_copy(update={"presigned_upload_url": where})

    @routes.patch(f"{path}/complete_multipart_upload", response_model=view)
    async def complete(
        repository: str, version: str, sent: PartsDone, asker: Asker = _WRITE
    ) -> Any:
        """Puts the parts together, in their order, and checks the archive.

        The reply shows signs of life meanwhile: tens of GB take longer than clients wait for one.
        """
        package = await found(asker, repository, version)
        parts = [(part.part_number, part.etag) for part in sent.parts]

        async def joined() -> PackageView:
            made = await uploads_of(backing).join(package, sent.upload_id, parts)
            return await show(asker, made)

        return await patiently(joined())


def _require_archive(package: Package) -> None:
    if not package.digest:
        raise FailedPrecondition(
            f"{package.family.word} {package.tag} has no archive: its upload is {package.status}"
        )


def signed(backing: Backing) -> APIRouter:
    """What is at signed addresses."""
    routes = APIRouter(include_in_schema=False)
    addresses = SignedAddresses(backing)

    @routes.put("/uploads/parts/{upload_id}/{number}")
    async def part(upload_id: str, number: int, request: Request) -> Response:
        """Takes one part; the field `ETag` of the reply is what its client lists it by."""
        await addresses.check(request)
        made = await uploads_of(backing).part(upload_id, number, body(request), length(request))
        return Response(headers={"etag": f'"{made.etag}"'})

    @routes.put("/uploads/{word}/{uid}")
    async def whole(word: str, uid: str, request: Request) -> Response:
        """Takes an archive in one piece."""
        await addresses.check(request)
        uploads = uploads_of(backing)
        family = FAMILIES.get(word)
        entry = await uploads.registry.catalogue.entry_of(family.version, uid) if family else None
        if family is None or entry is None:
            raise NotFound("what was to be uploaded is not there any more")
        package = package_of(family, entry)
        await uploads.whole(package, body(request), length(request), is_done=False)
        return Response()

    @routes.api_route("/downloads/{digits}/{name}", methods=["GET", "HEAD"])
    async def download(digits: str, request: Request) -> Response:
        """An archive, or a range of it."""
        await addresses.check(request)
        return await archive(request, registry_of(backing).vault, f"sha256:{digits}")

    return routes
