"""Files that came with a result, kept under their names without overwriting others."""

import mimetypes
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from mesh.client.description import MethodDescription
from mesh.errors import ConfigError
from mesh.io.files.name import given_name

_UNNAMED = 16
"""Characters of the name of a file that came without one: hexadecimal digits."""
_HEADS = {
    b"\x89PNG\r\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"%PDF-": ".pdf",
    b"ID3": ".mp3",
    b"OggS": ".ogg",
    b"fLaC": ".flac",
}
_TYPES = mimetypes.MimeTypes()


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that was kept: where, and its size in bytes."""

    path: Path
    size: int


class Keeper:
    """Keeps the files of one call's results in `folder`, which is made when the first comes."""

    def __init__(self, folder: Path, method: MethodDescription) -> None:
        self._folder = folder
        self._method = method

    def kept(self, value: Any) -> Any:
        """The value with a KeptFile for each file in it, and for bytes that have a media type.

        Raises ConfigError if one cannot be written.
        """
        if isinstance(value, bytes):
            suffix = self._declared()
            return self._bytes(value, suffix) if suffix or not _is_text(value) else value.decode()
        return self._files(value)

    def _files(self, value: Any) -> Any:
        match value:
            case Path():
                return self._file(value)
            case dict():
                return {key: self._files(each) for key, each in value.items()}
            case list():
                return [self._files(each) for each in value]
        return value

    def _file(self, path: Path) -> KeptFile:
        name = given_name(path)
        if len(name) == _UNNAMED and "." not in name:
            with path.open("rb") as stream:
                head = stream.read(16)
            name = f"{self._method.name}{self._declared() or _suffix(head)}"
        target = self._new(name)
        try:
            shutil.copyfile(path, target)
        except OSError as error:
            raise _unwritable(target, error) from None
        return KeptFile(target, target.stat().st_size)

    def _bytes(self, data: bytes, suffix: str) -> KeptFile:
        target = self._new(f"{self._method.name}{suffix or _suffix(data[:16])}")
        try:
            target.write_bytes(data)
        except OSError as error:
            raise _unwritable(target, error) from None
        return KeptFile(target, len(data))

    def _declared(self) -> str:
        """The suffix for the media type that the method says it gives; empty if it says none."""
        output = self._method.output
        said = output.get("content_type") or output.get("media_type") or ""
        # The media type of a stream is that of all its items together.
        return "" if output.get("is_stream") else _TYPES.guess_extension(str(said)) or ""

    def _new(self, name: str) -> Path:
        """A path in the folder that no file had, and now an empty one has."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for each in names(name):
                with suppress(FileExistsError):
                    path = self._folder / each
                    path.open("xb").close()
                    return path
        except OSError as error:
            raise _unwritable(self._folder / name, error) from None
        raise AssertionError  # names never end


def names(name: str) -> Iterator[str]:
    """Names to try one after the other: `a.txt`, `a-1.txt`, `a-2.txt` and so on."""
    yield name
    path = Path(name)
    for number in count(1):
        yield f"{path.stem}-{number}{path.suffix}"


def _is_text(data: bytes) -> bool:
    try:
        return data.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _suffix(head: bytes) -> str:
    if head[:4] == b"RIFF":
        return {b"WEBP": ".webp", b"WAVE": ".wav"}.get(head[8:12], ".bin")
    return next((suffix for start, suffix in _HEADS.items() if head.startswith(start)), ".bin")


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot write {path}: {error.strerror}")
