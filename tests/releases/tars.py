"""Archives to try: of one line for each entry."""

import io
import tarfile
from pathlib import Path

BENTO = b"service: service:Tiny\nname: tiny\nversion: v1\nbentoml_version: 1.4.39\n"
MODEL = b"name: weights\nversion: v1\nmodule: ''\napi_version: v1\n"


def file(name: str, content: bytes = b"x", mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    return info, content


def folder(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return special(name, tarfile.DIRTYPE)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info, content = special(name, kind)
    info.linkname = target
    return info, content


def special(name: str, kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.mode = kind, 0o755
    return info, b""


def tar(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w:") -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode=mode) as archive:  # type: ignore[call-overload]
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return written.getvalue()


def bento(*members: tuple[tarfile.TarInfo, bytes], document: bytes = BENTO) -> bytes:
    """A release `tiny:v1`."""
    return tar(folder("./"), file("./bento.yaml", document), *members)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def inside(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(each.name for each in folder.iterdir())
