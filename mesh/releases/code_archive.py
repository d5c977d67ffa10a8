"""An archive of a release, made of files that are developed: the same files give the same bytes."""

import tarfile
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import yaml

from mesh.releases.codespace import Codespace
from mesh.releases.contract import Blobs
from mesh.releases.documents import BENTO
from mesh.releases.packages import Package

REQUIREMENTS = "requirements.txt"
_SCRIPTS = ("setup.sh", "post_setup.sh")
_PIECE = 2**20
_BLOCK = tarfile.BLOCKSIZE


async def archive_of(space: Codespace, release: Package, blobs: Blobs) -> AsyncIterator[bytes]:
    """The pieces of an archive of `release` whose code are the files of `space`.

    Raises NotFound if the content of a file is lost.
    """
    text = yaml.safe_dump(document_of(space, release), sort_keys=False).encode()
    yield _head(BENTO, len(text)) + _filled(text)
    wanted = space.files.get(REQUIREMENTS)
    places = {f"src/{path}": file for path, file in sorted(space.files.items())}
    if wanted is not None:
        places = {f"env/python/{REQUIREMENTS}": wanted, **places}
    for place, file in places.items():
        yield _head(place, file.size)
        begin = 0
        while begin < file.size:
            piece = await blobs.read(file.digest, begin, _PIECE)
            begin += len(piece)
            yield piece
        yield bytes(-file.size % _BLOCK)
    yield bytes(2 * _BLOCK)


def document_of(space: Codespace, release: Package) -> dict[str, Any]:
    """What `bento.yaml` says: what the client said of the release, without what it is only now."""
    manifest = dict(release.manifest)
    for key in ("dev", "size_bytes", "apis", "runners"):
        manifest.pop(key, None)
    found = {
        **manifest,
        "name": release.repository,
        "version": release.version,
        "creation_time": datetime.fromtimestamp(release.said.build_at, UTC),
        "labels": dict(release.said.labels),
        "services": [_service(each) for each in manifest.get("services") or ()],
    }
    image = manifest.get("image") or {}
    scripts = [name for name in _SCRIPTS if name in space.files and space.files[name].size]
    if scripts and not (image.get("commands") or image.get("post_commands")):
        found["docker"] = {"setup_script": scripts[0]}
    return found


def _service(service: Mapping[str, Any]) -> dict[str, Any]:
    """A service, without what is empty in its models: that has another meaning there."""
    models = [
        {key: value for key, value in model.items() if value != ""}
        for model in service.get("models") or ()
    ]
    return {**service, "models": models}


def _head(path: str, size: int) -> bytes:
    info = tarfile.TarInfo(path)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.PAX_FORMAT)


def _filled(content: bytes) -> bytes:
    return content + bytes(-len(content) % _BLOCK)
