"""Pillow's images as parameters and results."""

import io
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from PIL import Image, UnidentifiedImageError

from mesh.io.types.content_type import ContentType, canonical
from mesh.io.types.file import File
from mesh.io.types.kind import Intake, Kind
from mesh.io.types.source import incoming

_RUNS_PROGRAMS: Final = {"EPS"}
"""Formats that Pillow hands to another program, which a client must not reach."""
_PNG_MODES: Final = {"1", "L", "LA", "I;16", "P", "RGB", "RGBA"}


@dataclass(frozen=True, slots=True)
class ImageKind(Kind):
    """An image, decoded whole. What it holds decides its format, not what it was labelled."""

    content_type: ContentType | None = None

    def marked(self, marker: object) -> "ImageKind":
        """This kind with a `ContentType`; raises TypeError for other markers."""
        if not isinstance(marker, ContentType):
            raise TypeError(f"{marker!r} says nothing about an image")
        return ImageKind(marker)

    def load(self, value: Any, intake: Intake | None) -> Image.Image:
        """An image from a file, a data URL or an http(s) URL, with its `format`.

        Raises as `incoming` does, and ValueError for what is no image, is broken, is too large to
        be decoded (`PIL.Image.MAX_IMAGE_PIXELS`), or has another format than `ContentType` says.
        """
        if isinstance(value, Image.Image):
            return value
        image = _decoded(incoming(value, intake, None))
        if self.content_type is not None:
            self.content_type.check(Image.MIME.get(image.format or "", ""))
        return image

    def check(self, value: Any) -> Image.Image:
        """The image; raises ValueError for anything else."""
        if not isinstance(value, Image.Image):
            what = type(value).__name__
            raise ValueError(f"must be an image, not {what}")  # noqa: TRY004  # as pydantic reads it
        return value

    def wire(self, value: Image.Image) -> File:
        """The image in the format of its `ContentType`, else its own, else as PNG.

        PNG also where its own format can't hold what it has become. Raises ValueError if nothing
        can be made of it.
        """
        declared = self._declared()
        if declared:
            data = _encoded(value, declared) or _encoded(value.convert("RGB"), declared)
            if data:
                return File(data, canonical(self.content_type.pattern if self.content_type else ""))
            raise ValueError(f"can't be written as {declared} in mode {value.mode}")
        own = value.format or "PNG"
        if data := _encoded(value, own):
            return File(data, f"image/{own.lower()}")
        if data := _encoded(_for_png(value), "PNG"):
            return File(data, "image/png")
        raise ValueError(f"an image of mode {value.mode} and size {value.size} can't be written")

    def _declared(self) -> str:
        """Pillow's name of the format that is asked for; empty if none is, or none it knows."""
        if self.content_type is None or self.content_type.is_pattern:
            return ""
        Image.init()
        wanted = canonical(self.content_type.pattern)
        formats = (name for name, media_type in Image.MIME.items() if name in Image.SAVE)
        return next((name for name in formats if canonical(Image.MIME[name]) == wanted), "")

    def json_schema(self) -> dict[str, Any]:
        """A file that clients turn into an image."""
        return {"type": "file", "format": "image", "pil": True}


def _decoded(file: File) -> Image.Image:
    if file.path is not None:
        with file.open() as handle:
            _read(handle, whole=False)  # what is no image is not read into memory
    # Not from disk: later frames are read when they are asked for, perhaps after the call.
    return _read(io.BytesIO(file.read()), whole=True)


def _read(stream: BinaryIO, *, whole: bool) -> Image.Image:
    Image.init()
    formats = [name for name in Image.ID if name not in _RUNS_PROGRAMS]
    try:
        image = Image.open(stream, formats=formats)
        if whole:
            image.load()
    except UnidentifiedImageError:
        raise ValueError("cannot identify image file") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError("image has too many pixels to be decoded") from None
    except Exception as error:  # decoders raise whatever broken data makes them
        raise ValueError("cannot decode image file: it is broken or cut off") from error
    return image


def _encoded(image: Image.Image, form: str) -> bytes:
    """The image as a file; empty if the format can't hold it."""
    Image.init()
    if form not in Image.SAVE:
        return b""
    stream = io.BytesIO()
    try:
        image.save(stream, format=form)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # as encoders complain
        return b""
    return stream.getvalue()


def _for_png(image: Image.Image) -> Image.Image:
    if image.mode in _PNG_MODES:
        return image
    if image.mode == "I":
        return image.convert("I;16")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def kind(_annotation: Any) -> ImageKind:
    """What `PIL.Image.Image` says, or the module of that class: any image."""
    return ImageKind()


def wire_value(value: Image.Image) -> File:
    """The image as a file."""
    return ImageKind().wire(value)
