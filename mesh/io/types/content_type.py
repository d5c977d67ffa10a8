"""`ContentType`: the media type of a file."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mesh.io.types.marker import Marker

_SENDABLE = re.compile(r"[\x21-\x7e]+([ \t]*;[\x20-\x7e]*)?")
_ALIASES = {
    "application/gzip": ("application/x-gzip",),
    "application/x-ndjson": ("application/jsonl", "application/ndjson"),
    "application/xml": ("text/xml",),
    "application/yaml": ("application/x-yaml", "text/x-yaml", "text/yaml"),
    "application/zip": ("application/x-zip-compressed",),
    "audio/aac": ("audio/x-aac",),
    "audio/aiff": ("audio/x-aiff",),
    "audio/flac": ("audio/x-flac",),
    "audio/mp4": ("audio/m4a", "audio/x-m4a", "audio/mp4a-latm"),
    "audio/mpeg": ("audio/mp3", "audio/mpeg3", "audio/x-mp3", "audio/x-mpeg", "audio/x-mpeg-3"),
    "audio/ogg": ("application/ogg", "audio/opus"),
    "audio/wav": ("audio/vnd.wave", "audio/wave", "audio/x-pn-wav", "audio/x-wav"),
    "image/bmp": ("image/x-bmp", "image/x-ms-bmp"),
    "image/jpeg": ("image/jpg", "image/pjpeg"),
    "image/vnd.microsoft.icon": ("image/ico", "image/x-icon"),
    "image/tiff": ("image/tif",),
    "text/javascript": ("application/javascript", "application/x-javascript"),
    "text/markdown": ("text/x-markdown",),
    "video/x-msvideo": ("video/avi", "video/msvideo"),
}
_CANONICAL = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}


def canonical(media_type: str) -> str:
    """The media type without parameters, under one name where it goes by several."""
    essence = media_type.partition(";")[0].strip().lower()
    return _CANONICAL.get(essence, essence)


@dataclass(frozen=True, slots=True)
class ContentType(Marker):
    """The media type of a file, image, text or bytes.

        audio: Annotated[Path, ContentType("audio/mp3")]

    An argument that says to be of another type is refused; of an image the content says what it
    is. A result is sent as this type, an image also written in its format. The pattern is a media
    type, or for inputs a glob such as `image/*`. A type that goes by several names fits all of
    them: `audio/mpeg` is `audio/mp3`. Raises ValueError for what no header could say.
    """

    pattern: str

    def __post_init__(self) -> None:
        if not isinstance(self.pattern, str) or not _SENDABLE.fullmatch(self.pattern):
            raise ValueError(f"ContentType: {self.pattern!r} is no media type, such as audio/mpeg")

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for several media types."""
        return bool({"*", "?", "["} & set(self.pattern.partition(";")[0]))

    def matches(self, media_type: str) -> bool:
        """Whether a media type, with or without parameters, is meant."""
        pattern = self.pattern.partition(";")[0].strip().lower()
        essence = media_type.partition(";")[0].strip().lower()
        return fnmatchcase(essence, pattern) or fnmatchcase(canonical(essence), canonical(pattern))

    def check(self, media_type: str) -> None:
        """Raises ValueError for a media type that isn't meant; an empty one says nothing."""
        if media_type and not self.matches(media_type):
            raise ValueError(f"Invalid content type {media_type}, expected {self.pattern}")
