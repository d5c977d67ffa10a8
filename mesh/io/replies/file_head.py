"""What the head of a reply says about the file that is its body."""

import re
import unicodedata
from email.utils import formatdate
from typing import Final
from urllib.parse import quote, unquote

from mesh.call import Metadata
from mesh.io.files.name import base_name
from mesh.io.types.file import File

_ATTRIBUTE: Final = "!#$&+-.^_`|~"
"""Characters that stand for themselves in `filename*`, RFC 8187, besides letters and digits."""
_PARAMETER: Final = re.compile(
    r';\s*(filename\*?)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s"]+)', re.IGNORECASE | re.ASCII
)
_LONGEST: Final = 8192


def headers_of(file: File, size: int, modified_ns: int | None = None) -> Metadata:
    """The header fields for a file of `size` bytes, its media type aside.

    `modified_ns`, nanoseconds since 1970, is when it was last written. Only files on disk have
    it, and with it an age and parts that may be asked for.
    """
    fields = [("content-length", str(size))]
    if file.filename:
        fields.append(("content-disposition", content_disposition(file)))
    if modified_ns is not None:
        seconds = modified_ns // 1_000_000_000
        fields += [
            ("accept-ranges", "bytes"),
            ("etag", f'"{modified_ns:x}-{size:x}"'),
            ("last-modified", formatdate(max(seconds, 0), usegmt=True)),
        ]
    return tuple(fields)


def content_disposition(file: File) -> str:
    """Images are shown, everything else is saved, under the file's name.

    `filename` is in ASCII, for clients that read nothing else; `filename*` has the name itself
    where that differs.
    """
    shown = "inline" if file.media_type.lower().startswith("image/") else "attachment"
    name = base_name(file.filename)
    if not name:
        return shown
    plain = f'{shown}; filename="{_ascii(name)}"'
    if name.isascii():
        return plain
    return f"{plain}; filename*=utf-8''{quote(name, safe=_ATTRIBUTE)}"


def _ascii(name: str) -> str:
    """The name without accents, and `_` for what has no counterpart."""
    apart = unicodedata.normalize("NFKD", name)
    letters = (char for char in apart if not unicodedata.combining(char))
    return base_name("".join(char if char.isascii() else "_" for char in letters))


def filename_of(disposition: str) -> str:
    """The base name in a Content-Disposition field, `filename*` before `filename`; may be empty."""
    found = {key.lower(): value for key, value in _PARAMETER.findall(disposition[:_LONGEST])}
    charset, _, extended = found.get("filename*", "").strip('"').partition("'")
    encoded = extended.partition("'")[2]
    if encoded and charset.lower() in ("utf-8", "iso-8859-1"):
        return base_name(unquote(encoded, charset))
    plain = found.get("filename", "")
    if plain.startswith('"'):
        plain = re.sub(r"\\(.)", r"\1", plain[1:-1])
    return base_name(plain)
