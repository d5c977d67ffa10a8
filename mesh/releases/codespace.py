"""The files of a deployment that is being developed, as values: which there are, and how many may.

Files are kept by their content, beside archives of releases; of what a deployment has there is one
entry of the catalogue, so that a new control plane goes on with it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mesh.control.store.catalogue import Entry, Kind
from mesh.errors import InvalidArgument, TooLarge
from mesh.releases.names import LONGEST, LONGEST_NAME

READY = ".project_ready"
"""The file, of no content, that a client sends after all others."""
CODE = "code"
"""The annotation of a deployment that has the archive which was made of its files."""
KEPT = 3
"""Archives of a codespace that are kept: of what runs, and of what ran before."""


@dataclass(frozen=True, slots=True)
class CodeLimits:
    """`size` in bytes of all files together."""

    files: int = 20_000
    size: int = 2**30


@dataclass(frozen=True, slots=True)
class CodeFile:
    """A file by its content; `md5` is by what clients know it."""

    digest: str
    size: int
    md5: str


def file_of(content: bytes) -> CodeFile:
    """The file with this content."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return CodeFile(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content), md5)


@dataclass(frozen=True, slots=True)
class Codespace:
    """What a deployment has of files, by path.

    `ready_for` is the uid of the release for which all of them had come once; `built` is the
    `state` of which the last archive was made, and `archives` are the digests of the last ones.
    """

    deployment: str
    uid: str
    organization: str
    created_at: float
    updated_at: float
    files: Mapping[str, CodeFile] = field(default_factory=dict)
    ready_for: str = ""
    built: str = ""
    archives: tuple[str, ...] = ()

    @property
    def digests(self) -> frozenset[str]:
        """All contents that are of it."""
        return frozenset({*self.archives, *(each.digest for each in self.files.values())})

    @property
    def state(self) -> str:
        """The same for the same files for the same release."""
        files = sorted((path, each.digest) for path, each in self.files.items())
        return hashlib.sha256(json.dumps([self.ready_for, files]).encode()).hexdigest()

    @property
    def is_behind(self) -> bool:
        """Whether there is something to make an archive of."""
        return bool(self.ready_for) and self.built != self.state

    def with_files(self, files: Mapping[str, CodeFile], limits: CodeLimits) -> "Codespace":
        """With more files, or others in their place.

        Raises InvalidArgument for a path that is none, or that lies below a file; TooLarge.
        """
        found = {**self.files, **{checked_path(path): each for path, each in files.items()}}
        for path in files:
            for above in _above(path):
                if above in found:
                    raise InvalidArgument(f"{_shown(path)} lies below the file {_shown(above)}")
        folders = {above for path in found for above in _above(path)}
        for path in files:
            if path in folders:
                raise InvalidArgument(f"{_shown(path)} is a folder already")
        if len(found) > limits.files:
            raise TooLarge(f"a codespace has at most {limits.files} files")
        size = sum(each.size for each in found.values())
        if size > limits.size:
            raise TooLarge(f"the files of a codespace have at most {limits.size} bytes, not {size}")
        return replace(self, files=found)

    def without(self, paths: Iterable[str]) -> "Codespace":
        """Without these files, as far as there are such."""
        gone = set(paths)
        return replace(self, files={k: each for k, each in self.files.items() if k not in gone})

    def with_archive(self, digest: str) -> "Codespace":
        """With an archive that was made of just these files."""
        before = tuple(each for each in self.archives if each != digest)
        return replace(self, built=self.state, archives=(*before, digest)[-KEPT:])

    def entry(self) -> Entry:
        """As it is kept."""
        files = {path: [each.digest, each.size, each.md5] for path, each in self.files.items()}
        document = {
            "files": files,
            "ready_for": self.ready_for,
            "built": self.built,
            "archives": list(self.archives),
        }
        return Entry(
            Kind.CODESPACE,
            self.deployment,
            self.uid,
            self.created_at,
            self.updated_at,
            document,
            organization=self.organization,
        )


def codespace_of(entry: Entry) -> Codespace:
    """A codespace as it was kept."""
    kept = entry.document
    return Codespace(
        entry.name,
        entry.uid,
        entry.organization,
        entry.created_at,
        entry.updated_at,
        {path: CodeFile(*each) for path, each in kept["files"].items()},
        kept["ready_for"],
        kept["built"],
        tuple(kept["archives"]),
    )


def checked_path(path: str) -> str:
    """A path of a file. Raises InvalidArgument for one that leads elsewhere or is odd."""
    parts = path.split("/")
    is_one = all(part not in ("", ".", "..") for part in parts)
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        raise InvalidArgument(f"path: {_shown(path)} is no text") from None
    if not is_one or "\0" in path or len(path.encode()) > LONGEST or max(sizes) > LONGEST_NAME:
        raise InvalidArgument(f"path: {_shown(path)} is no relative path of a file, such as a/b.py")
    return path


def _above(path: str) -> Iterable[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _shown(path: str) -> str:
    return ascii(path[:200])


def code_of(annotations: Mapping[str, Any], release: str) -> tuple[str, int] | None:
    """Digest and size of the archive that was made for a release with the uid `release`."""
    code = annotations.get(CODE)
    if not isinstance(code, Mapping) or code.get("release") != release:
        return None
    return str(code["digest"]), int(code["size"])
