"""Releases in the registry of a mesh: what is there, and the way there and back."""

import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel

from mesh.client.control.connection import Connection, path as path_of
from mesh.errors import FailedPrecondition, NotFound, Unavailable

CHUNK = 2**20
"""Bytes that are read and sent at once."""
PART = 100 * 2**20
"""Bytes of a part, where an archive is sent in parts."""
TRIES = 3
"""Times that a part is sent before that counts as failed."""
PAGE = 1000
"""Releases that are asked for at once."""

Moved = Callable[[int, int], None]
"""Told how many bytes are there, and of how many."""


@dataclass(frozen=True, slots=True)
class PushedRelease:
    """A release in the registry; `status` is that of its upload."""

    tag: str
    status: str
    size: int
    created_at: datetime


class _Repository(BaseModel):
    name: str = ""


class _Bento(BaseModel):
    """What is needed of the registry's own form."""

    version: str
    created_at: datetime
    upload_status: str = ""
    upload_finished_reason: str = ""
    transmission_strategy: str | None = None
    presigned_upload_url: str = ""
    presigned_download_url: str = ""
    upload_id: str = ""
    manifest: dict[str, Any] | None = None
    repository: _Repository = _Repository()


class _Page(BaseModel):
    total: int
    items: list[_Bento]


def _still(_: int, __: int) -> None:
    pass


class Releases:
    """The releases of a mesh."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, name: str = "") -> tuple[PushedRelease, ...]:
        """What was pushed, of one name or of all, the newest first. Raises NotFound."""
        where = _repository(name) + "/bentos" if name else "/api/v1/bentos"
        found: list[_Bento] = []
        while True:
            params = {"start": len(found), "count": PAGE}
            try:
                page = self._ask(_Page, "GET", where, params=params)
            except NotFound:
                raise NotFound(f"no release {name!r} was pushed") from None
            found += page.items
            if not page.items or len(found) >= page.total:
                break
        return tuple(_pushed(each, name) for each in found)

    def newest(self, name: str) -> PushedRelease:
        """The newest of a name that was pushed as a whole. Raises NotFound."""
        for each in self.list(name):
            if each.status == "success":
                return each
        raise NotFound(f"no release {name!r} was pushed as a whole")

    def push(
        self,
        name: str,
        version: str,
        folder: Path,
        manifest: Mapping[str, Any],
        *,
        force: bool = False,
        moved: Moved = _still,
    ) -> bool:
        """Sends a release; returns False if it is there already, and nothing was sent.

        `manifest` is its description. Raises InvalidArgument if the mesh refuses the archive.
        """
        self._need_repository(name)
        bento = self._found(name, version)
        if bento is not None and bento.upload_status == "success" and not force:
            return False
        with tempfile.TemporaryFile() as archive:
            size = _archived(folder, archive)
            body = {"description": "", "manifest": _manifest(manifest, size), "labels": []}
            bento = self._registered(bento, name, version, manifest, body)
            if bento.transmission_strategy == "presigned_url":
                self._send_parts(name, version, archive, size, moved)
            else:
                self._send_whole(name, version, archive, size, moved)
        bento = self._found(name, version)
        if bento is None or bento.upload_status != "success":
            why = bento.upload_finished_reason if bento else "it is gone"
            raise FailedPrecondition(f"the mesh did not take {name}:{version}: {why}")
        return True

    def pull(
        self, name: str, version: str, into: IO[bytes], *, moved: Moved = _still
    ) -> tuple[str, Mapping[str, Any]]:
        """Fetches an archive; returns its version (of the newest, if none was given) and manifest.

        Raises NotFound.
        """
        version = version or self.newest(name).tag.rpartition(":")[2]
        try:
            bento = self._ask(_Bento, "GET", _bento(name, version))
        except NotFound:
            raise NotFound(f"no release '{name}:{version}' was pushed") from None
        total = 0
        for piece, whole in self._connection.pieces(_bento(name, version) + "/download", CHUNK):
            into.write(piece)
            total += len(piece)
            moved(total, whole)
        return version, bento.manifest or {}

    def _ask(self, kind: type[Any], method: str, where: str, **options: Any) -> Any:
        return self._connection.ask(kind, method, f"{self._connection.url}{where}", **options)

    def _need_repository(self, name: str) -> None:
        try:
            self._ask(_Repository, "GET", _repository(name))
        except NotFound:
            body = {"name": name, "description": ""}
            self._ask(_Repository, "POST", "/api/v1/bento_repositories", json=body)

    def _found(self, name: str, version: str) -> _Bento | None:
        try:
            found: _Bento = self._ask(_Bento, "GET", _bento(name, version))
        except NotFound:
            return None
        return found

    def _registered(
        self,
        bento: _Bento | None,
        name: str,
        version: str,
        manifest: Mapping[str, Any],
        body: dict[str, Any],
    ) -> _Bento:
        if bento is not None:
            found: _Bento = self._ask(_Bento, "PATCH", _bento(name, version), json=body)
            return found
        body |= {"version": version, "build_at": manifest.get("creation_time")}
        made: _Bento = self._ask(_Bento, "POST", _repository(name) + "/bentos", json=body)
        return made

    def _send_whole(
        self, name: str, version: str, archive: IO[bytes], size: int, moved: Moved
    ) -> None:
        self._ask(_Bento, "PATCH", _bento(name, version) + "/start_upload")
        archive.seek(0)
        self._connection.send(
            "PUT", _bento(name, version) + "/upload", _read(archive, size, 0, size, moved), size
        )

    def _send_parts(
        self, name: str, version: str, archive: IO[bytes], size: int, moved: Moved
    ) -> None:
        """In parts, one after the other; a part that fails is sent again."""
        where = _bento(name, version)
        self._ask(_Bento, "PATCH", f"{where}/start_upload")
        upload = self._ask(_Bento, "PATCH", f"{where}/start_multipart_upload").upload_id
        parts = []
        try:
            for number, begin in enumerate(range(0, size, PART), 1):
                length = min(PART, size - begin)
                body = {"upload_id": upload, "part_number": number}
                url = self._ask(
                    _Bento, "PATCH", f"{where}/presign_multipart_upload_url", json=body
                ).presigned_upload_url
                etag = self._part(url, archive, (begin, length, size), moved)
                parts.append({"part_number": number, "etag": etag})
            done = {"parts": parts, "upload_id": upload}
            self._ask(_Bento, "PATCH", f"{where}/complete_multipart_upload", json=done)
        except BaseException as error:
            said = f"{type(error).__name__} at the client"
            failed = {"status": "failed", "reason": said}
            ended = self._ask(_Bento, "PATCH", f"{where}/finish_upload", json=failed)
            why = ended.upload_finished_reason
            if isinstance(error, Unavailable) and why not in ("", said):  # a reply that broke off
                raise FailedPrecondition(
                    f"the mesh did not take {name}:{version}: {why}"
                ) from error
            raise
        success = {"status": "success", "reason": ""}
        self._ask(_Bento, "PATCH", f"{where}/finish_upload", json=success)

    def _part(self, url: str, archive: IO[bytes], place: tuple[int, int, int], moved: Moved) -> str:
        begin, length, size = place
        for left in reversed(range(TRIES)):
            archive.seek(begin)
            try:
                content = _read(archive, length, begin, size, moved)
                return self._connection.send("PUT", url, content, length).get("etag", "")
            except Unavailable:
                if not left:
                    raise
                time.sleep(1.0)
        raise AssertionError("the last try returns or raises")


def _repository(name: str) -> str:
    return "/api/v1/bento_repositories" + path_of(name)


def _bento(name: str, version: str) -> str:
    return f"{_repository(name)}/bentos{path_of(version)}"


def _pushed(bento: _Bento, name: str) -> PushedRelease:
    size = int((bento.manifest or {}).get("size_bytes") or 0)
    tag = f"{bento.repository.name or name}:{bento.version}"
    return PushedRelease(tag, bento.upload_status, size, bento.created_at)


_KEPT = (
    "name",
    "version",
    "service",
    "entry_service",
    "bentoml_version",
    "services",
    "envs",
    "schema",
    "image",
    "spec",
)


def _manifest(description: Mapping[str, Any], size: int) -> dict[str, Any]:
    """What the registry is told of a release: the part of its description that has to be known."""
    models = [each["tag"] if isinstance(each, dict) else each for each in description["models"]]
    return {
        **{key: description[key] for key in _KEPT if key in description},
        "size_bytes": size,
        "models": models,
        "apis": {},
        "runners": [],
        "dev": False,
    }


def _archived(folder: Path, into: IO[bytes]) -> int:
    """Packs a release; returns the size of the archive in bytes."""

    def without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return None if entry.name == "./models" else entry

    with tarfile.open(fileobj=into, mode="w:") as archive:
        archive.add(folder, "./", filter=without_owner)
    return into.tell()


def _read(file: IO[bytes], length: int, begin: int, size: int, moved: Moved) -> Iterator[bytes]:
    left = length
    while left and (piece := file.read(min(CHUNK, left))):
        left -= len(piece)
        yield piece
        moved(begin + length - left, size)
