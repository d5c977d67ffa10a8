"""What the registry keeps, as values: repositories, and versions of releases and models in them.

A version is `pending` until its upload begins, `uploading` until its archive is there and checked,
then `success` or `failed`. It may be uploaded again: until that succeeds, the earlier archive stays
for those who use it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from mesh.control.records import Document
from mesh.control.store.catalogue import Entry, Kind
from mesh.errors import InvalidArgument
from mesh.releases.documents import BENTO, MODEL

LATEST = "latest"
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
Labels = tuple[tuple[str, str], ...]


class Status(StrEnum):
    """How far an upload is."""

    PENDING = "pending"
    UPLOADING = "uploading"
    SUCCESS = "success"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Family:
    """Releases, or models: what they are called, and which file says what they are."""

    word: str
    repository: Kind
    version: Kind
    document: str


BENTOS = Family("bento", Kind.BENTO_REPOSITORY, Kind.BENTO, BENTO)
MODELS = Family("model", Kind.MODEL_REPOSITORY, Kind.MODEL, MODEL)
FAMILIES: Mapping[str, Family] = {family.word: family for family in (BENTOS, MODELS)}


def checked_name(what: str, name: str) -> str:
    """A name of a repository or version. Raises InvalidArgument for what is none."""
    if not NAME.fullmatch(name):
        raise InvalidArgument(
            f"{what} {name[:200]!r}: not 1 to 128 of letters, digits, '.', '_' and '-',"
            " with a letter or digit at both ends"
        )
    return name


@dataclass(frozen=True, slots=True)
class Said:
    """What a client says of a repository or version. Times in seconds since the Unix epoch."""

    description: str = ""
    labels: Labels = ()
    manifest: Document = field(default_factory=dict)
    build_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Repository:
    """Versions of one name."""

    family: Family
    name: str
    uid: str
    organization: str
    created_at: float
    updated_at: float
    said: Said = field(default_factory=Said)
    creator: str = ""

    def entry(self) -> Entry:
        """As it is kept."""
        return Entry(
            kind=self.family.repository,
            name=self.name,
            uid=self.uid,
            created_at=self.created_at,
            updated_at=self.updated_at,
            document={**_said_document(self.said), "creator": self.creator},
            organization=self.organization,
        )


def repository_of(family: Family, entry: Entry) -> Repository:
    """A repository as it was kept."""
    return Repository(
        family,
        entry.name,
        entry.uid,
        entry.organization,
        entry.created_at,
        entry.updated_at,
        _said_of(entry.document),
        entry.document.get("creator", ""),
    )


@dataclass(frozen=True, slots=True)
class Package:
    """One version in a repository.

    `digest` and `size` are those of its archive (empty: there is none yet). `arrived` is an archive
    that was uploaded and checked, whose client has not said yet that it is done. `earlier` are
    digests of archives that it had before.
    """

    family: Family
    repository: str
    version: str
    uid: str
    organization: str
    created_at: float
    updated_at: float
    said: Said = field(default_factory=Said)
    creator: str = ""
    status: Status = Status.PENDING
    reason: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    digest: str = ""
    size: int = 0
    arrived: tuple[str, int] | None = None
    earlier: tuple[str, ...] = ()
    upload_id: str = ""

    @property
    def tag(self) -> str:
        """`name:version`."""
        return f"{self.repository}:{self.version}"

    @property
    def manifest(self) -> Document:
        """What its client says is in it."""
        return self.said.manifest

    @property
    def said_size(self) -> int:
        """Bytes that its client says it has; 0 if it does not say."""
        size = self.manifest.get("size_bytes")
        return size if isinstance(size, int) and size > 0 else 0

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is a model that is kept elsewhere, so that nothing is uploaded."""
        metadata = self.manifest.get("metadata")
        return isinstance(metadata, Mapping) and metadata.get("registry") == "huggingface"

    @property
    def is_bare(self) -> bool:
        """Whether it is a release that is being developed: its archive is made of a codespace."""
        is_there = self.status is Status.SUCCESS
        return is_there and bool(self.manifest.get("dev")) and not self.digest

    @property
    def digests(self) -> frozenset[str]:
        """All archives that are of it."""
        arrived = (self.arrived[0],) if self.arrived else ()
        return frozenset({self.digest, *self.earlier, *arrived} - {""})

    def entry(self) -> Entry:
        """As it is kept."""
        document = {
            **_said_document(self.said),
            "creator": self.creator,
            "status": self.status.value,
            "reason": self.reason,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "digest": self.digest,
            "size": self.size,
            "arrived": list(self.arrived) if self.arrived else None,
            "earlier": list(self.earlier),
            "upload_id": self.upload_id,
        }
        return Entry(
            kind=self.family.version,
            name=self.version,
            uid=self.uid,
            created_at=self.created_at,
            updated_at=self.updated_at,
            document=document,
            scope=self.repository,
            organization=self.organization,
        )

    def started(self, now: float) -> "Package":
        """Its upload begins, from the beginning or again."""
        return replace(
            self,
            status=Status.UPLOADING,
            reason="",
            started_at=now,
            finished_at=None,
            arrived=None,
            updated_at=now,
        )

    def failed(self, reason: str, now: float) -> "Package":
        """Its upload failed."""
        return replace(
            self,
            status=Status.FAILED,
            reason=reason[:1000],
            finished_at=now,
            arrived=None,
            updated_at=now,
        )

    def succeeded(self, archive: tuple[str, int] | None, now: float, reason: str = "") -> "Package":
        """Its archive (None: it needs none) is there."""
        digest, size = archive or ("", 0)
        earlier = tuple(each for each in (*self.earlier, self.digest) if each not in ("", digest))
        return replace(
            self,
            status=Status.SUCCESS,
            reason=reason[:1000],
            finished_at=now,
            updated_at=now,
            digest=digest,
            size=size,
            arrived=None,
            earlier=tuple(dict.fromkeys(earlier)),
            upload_id="",
        )


def package_of(family: Family, entry: Entry) -> Package:
    """A version as it was kept."""
    document = entry.document
    arrived = document.get("arrived")
    return Package(
        family,
        entry.scope,
        entry.name,
        entry.uid,
        entry.organization,
        entry.created_at,
        entry.updated_at,
        _said_of(document),
        document.get("creator", ""),
        Status(document.get("status", Status.PENDING)),
        document.get("reason", ""),
        document.get("started_at"),
        document.get("finished_at"),
        document.get("digest", ""),
        document.get("size", 0),
        (arrived[0], arrived[1]) if arrived else None,
        tuple(document.get("earlier", ())),
        document.get("upload_id", ""),
    )


def _said_document(said: Said) -> dict[str, Any]:
    return {
        "description": said.description,
        "labels": [list(label) for label in said.labels],
        "manifest": dict(said.manifest),
        "build_at": said.build_at,
    }


def _said_of(document: Document) -> Said:
    return Said(
        document.get("description", ""),
        tuple((key, value) for key, value in document.get("labels", ())),
        document.get("manifest", {}),
        document.get("build_at", 0.0),
    )


def model_tags(manifest: Document) -> tuple[str, ...]:
    """The models that the manifest of a release names, without those that are kept elsewhere."""
    listed = _list(manifest.get("models"))
    elsewhere: set[str] = set()
    found = [each for each in listed if isinstance(each, str)]
    for service in _list(manifest.get("services")):
        for model in _list(service.get("models")) if isinstance(service, Mapping) else ():
            if isinstance(model, str):
                found.append(model)
            elif isinstance(model, Mapping) and isinstance(model.get("tag"), str):
                (found.append, elsewhere.add)[model.get("registry") == "huggingface"](model["tag"])
    return tuple(dict.fromkeys(tag for tag in found if tag not in elsewhere))


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
