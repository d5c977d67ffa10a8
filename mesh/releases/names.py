"""Which names and links an archive may hold: nothing in it may lead out of its folder. Pure."""

import posixpath
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import blake2b

from mesh.errors import InvalidArgument

LONGEST = 1024
"""Bytes of a path."""
LONGEST_NAME = 255
"""Bytes of one name in it."""
_SHOWN = 200


class Shape(IntEnum):
    """What an entry of an archive is."""

    FOLDER = 1
    FILE = 2
    SYMBOLIC_LINK = 3
    HARD_LINK = 4


def shown(name: str) -> str:
    """A name from an archive as errors may have it: short, and of plain characters."""
    plain = name.encode("utf-8", "backslashreplace").decode()
    return ascii(plain[:_SHOWN])


def settled_path(name: str) -> str:
    """The path of an entry, without what stands for nothing in it; empty for the folder itself.

    Raises InvalidArgument for one that leads elsewhere.
    """
    if name.startswith("/"):
        raise InvalidArgument(f"the archive holds an absolute path: {shown(name)}")
    if "\0" in name or len(name.encode("utf-8", "surrogateescape")) > LONGEST:
        raise InvalidArgument(f"the archive holds a path that is none: {shown(name)}")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if any(len(part.encode("utf-8", "surrogateescape")) > LONGEST_NAME for part in parts):
        raise InvalidArgument(f"the archive holds a name that is too long: {shown(name)}")
    if ".." in parts:
        raise InvalidArgument(f"the archive holds a path out of its folder: {shown(name)}")
    return "/".join(parts)


def settled_link(path: str, target: str) -> str:
    """Where a symbolic link at `path` leads, as it is written.

    Its `..` have to stand first, and be no more than there are folders above it: whatever other
    links it passes, it then stays in the folder. Raises InvalidArgument for any other.
    """
    parts = [part for part in target.split("/") if part not in ("", ".")]
    rises = 0
    while rises < len(parts) and parts[rises] == "..":
        rises += 1
    is_none = not target or "\0" in target or len(target) > LONGEST
    if is_none or target.startswith("/") or ".." in parts[rises:] or rises > path.count("/"):
        raise InvalidArgument(f"the archive holds a link out of its folder: {shown(path)}")
    return target


@dataclass(slots=True)
class Names:
    """The paths of an archive that were seen: files and links once, and folders above them.

    Paths are kept as digests of 16 bytes, so that long ones take no more memory than short ones.
    """

    limit: int
    _seen: dict[bytes, Shape] = field(default_factory=dict)

    def add(self, path: str, shape: Shape, target: str = "") -> None:
        """Takes an entry in. `target` is the path of the file that a hard link is another name of.

        Raises InvalidArgument if it is there already, lies below something that is no folder, is
        another name of no file, or is one too many.
        """
        self._add_above(path)
        key = _key(path)
        before = self._seen.get(key)
        if before is not None and (before, shape) != (Shape.FOLDER, Shape.FOLDER):
            raise InvalidArgument(f"the archive holds two of {shown(path)}")
        if shape is Shape.HARD_LINK and self._seen.get(_key(target)) is not Shape.FILE:
            raise InvalidArgument(f"the archive holds a link to no file in it: {shown(path)}")
        self._put(key, Shape.FILE if shape is Shape.HARD_LINK else shape)

    def _add_above(self, path: str) -> None:
        above = posixpath.dirname(path)
        while above:
            key = _key(above)
            found = self._seen.get(key)
            if found is Shape.FOLDER:
                return  # and so are those above it
            if found is not None:
                raise InvalidArgument(f"{shown(path)} in the archive lies below what is no folder")
            self._put(key, Shape.FOLDER)
            above = posixpath.dirname(above)

    def _put(self, key: bytes, shape: Shape) -> None:
        self._seen[key] = shape
        if len(self._seen) > self.limit:
            raise InvalidArgument(f"the archive holds more than {self.limit} files and folders")


def _key(path: str) -> bytes:
    return blake2b(path.encode("utf-8", "surrogateescape"), digest_size=16).digest()
