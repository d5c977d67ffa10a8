"""Methods of many inputs, and how their bodies are read in tests."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field

from mesh.errors import InvalidArgument, MeshError
from mesh.io.binding import Bound
from mesh.io.bodies.limits import LIMITS, Limits
from mesh.io.bodies.reader import reader
from mesh.io.descriptor import IODescriptor
from mesh.io.files.folder import Folder
from mesh.io.files.intake import CallIntake
from mesh.io.spec import MethodSpec, method_spec
from mesh.io.types.content_type import ContentType
from mesh.io.types.tensor import DType

BOUNDARY = "five-hundred"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
URLENCODED = "application/x-www-form-urlencoded"


class Point(BaseModel):
    x: int
    name: str = ""


class Document(IODescriptor):
    image: Path
    pages: list[Path] = Field(default_factory=list)
    title: str = ""


class Service:
    """Every method gives its arguments back."""

    def scalars(
        self, text: str, number: int = 0, real: float = 0.0, maybe: str | None = "unset",
        anything: Any = None, flag: bool = False,
    ) -> Any: ...  # fmt: skip

    def lists(self, numbers: list[int] = [], words: list[str] = []) -> Any: ...  # noqa: B006

    def model(self, point: Point, n: int = 0) -> Any: ...

    def file(self, file: Path, note: str = "", n: int = 0) -> Any: ...

    def optional(self, file: Path | None = None, n: int = 0) -> Any: ...

    def files(self, files: list[Path]) -> Any: ...

    def audio(self, file: Annotated[Path, ContentType("audio/mp3")]) -> Any: ...

    def mixed(self, file: Path, point: Point, data: bytes = b"") -> Any: ...

    def nested(self, doc: Document) -> Any: ...

    def many(self, docs: list[Document]) -> Any: ...

    def named(self, files: dict[str, Path]) -> Any: ...

    def either(self, value: Path | str) -> Any: ...

    def array(
        self, x: Annotated[np.ndarray, DType("float32")], n: int = 1, name: str = ""
    ) -> Any: ...

    def arrays(self, x: np.ndarray, y: np.ndarray) -> Any: ...

    def root_text(self, text: str, /) -> Any: ...

    def root_default(self, text: str = "given", /) -> Any: ...

    def root_int(self, n: int, /) -> Any: ...

    def root_seven(self, n: int = 7, /) -> Any: ...

    def root_file(self, file: Path, /) -> Any: ...

    def root_bytes(self, data: bytes, /) -> Any: ...

    def root_model(self, document: Document, /) -> Any: ...

    def root_array(self, x: np.ndarray, /) -> Any: ...


@lru_cache
def spec(name: str) -> MethodSpec:
    return method_spec(Service, getattr(Service, name), name=name, route=f"/{name}")


@contextmanager
def folder_of(parent: Path | None) -> Iterator[Folder]:
    folder = Folder(parent)
    try:
        yield folder
    finally:
        folder.remove()


def read(
    method: str,
    media_type: str,
    body: bytes | Iterable[bytes],
    *,
    query: str = "",
    folder: Folder | None = None,
    fetch: Any = None,
    limits: Limits = LIMITS,
) -> Any:
    """The arguments: of a root input its value, else a dict; files as their content."""
    own = folder or Folder()
    try:
        bound = bound_of(method, media_type, body, query, CallIntake(own, fetch), limits)
        found: Any = bound.args[0] if bound.args else bound.kwargs
        if spec(method).arguments.root and not bound.args:
            (found,) = bound.kwargs.values()
        return contents(found)
    finally:
        if folder is None:
            own.remove()


def bound_of(
    method: str,
    media_type: str,
    body: bytes | Iterable[bytes],
    query: str,
    intake: CallIntake,
    limits: Limits = LIMITS,
) -> Bound:
    reading = reader(spec(method).arguments, media_type, query, intake, limits)
    try:
        for piece in [body] if isinstance(body, bytes) else body:
            reading.feed(piece)
        return reading.finish()[0]
    finally:
        reading.close()


def contents(value: Any) -> Any:
    """The value with the content of each path for the path."""
    match value:
        case Path():
            return value.read_bytes()
        case list():
            return [contents(each) for each in value]
        case dict():
            return {key: contents(each) for key, each in value.items()}
        case BaseModel():
            return {key: contents(each) for key, each in dict(value).items()}
    return value


def part(
    name: str | bytes | None,
    content: bytes = b"",
    filename: str | bytes | None = None,
    media_type: str = "",
) -> bytes:
    """One part of a multipart form."""
    fields = b"form-data"
    if name is not None:
        fields += b'; name="%b"' % (name.encode() if isinstance(name, str) else name)
    if filename is not None:
        given = filename.encode() if isinstance(filename, str) else filename
        fields += b'; filename="%b"' % given
    head = b"Content-Disposition: %b\r\n" % fields
    if media_type:
        head += f"Content-Type: {media_type}\r\n".encode()
    return b"--%b\r\n%b\r\n%b\r\n" % (BOUNDARY.encode(), head, content)


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def fault(act: Callable[[], Any]) -> tuple[int, list[tuple[str, tuple[str | int, ...]]]]:
    """Status, and type and place of each fault of what `act` raises."""
    try:
        found = act()
    except MeshError as error:
        if isinstance(error, InvalidArgument):
            count = len(error.violations)
            assert error.message.startswith(f"{count} validation error for ")
        return error.status, [(each.type, each.path) for each in error.violations]
    raise AssertionError(f"nothing is wrong: {found!r}")


def said(act: Callable[[], Any]) -> str:
    """The message of what `act` raises, or of its first fault."""
    try:
        act()
    except MeshError as error:
        return error.violations[0].message if error.violations else error.message
    raise AssertionError("nothing is wrong")


def splits(body: bytes, places: Iterable[int]) -> list[bytes]:
    """The body in pieces that end at these places."""
    cuts = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    return [body[a:b] for a, b in pairwise(cuts)]
