"""Files inside texts: `data:` URLs, RFC 2397."""

import base64
import binascii
import re
from typing import Final
from urllib.parse import quote, unquote

from mesh.io.files.name import base_name
from mesh.io.types.file import OCTETS, File

DEFAULT_MEDIA_TYPE: Final = "text/plain;charset=US-ASCII"
"""What a URL without a media type holds."""

_MAX_HEAD: Final = 1024
"""Characters in front of the comma."""
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # a token of RFC 9110, no secret
_ESSENCE = re.compile(rf"{_TOKEN}/{_TOKEN}")
_PARAMETER = re.compile(rf'({_TOKEN})=({_TOKEN}|"[^"\\\x00-\x1f\x7f]*")')
_LOOSE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def is_data_url(text: str) -> bool:
    """Whether the text says that it is one."""
    return text[:5].lower() == "data:"


def from_data_url(text: str) -> File:
    """The file in a `data:` URL. Raises ValueError saying what is wrong with it.

    A parameter `name` becomes the file's name, the others stay with its media type.
    """
    comma = text.find(",", 5, _MAX_HEAD + 6)
    if not is_data_url(text) or comma < 0:
        raise ValueError("Invalid data URL: it has no comma after its media type")
    media_type, name, is_base64 = _head(text[5:comma])
    try:
        data = text[comma + 1 :].encode("ascii")
    except UnicodeEncodeError:
        raise ValueError("Invalid data URL: it holds characters that are not ASCII") from None
    return File(_decoded(data, is_base64=is_base64), media_type, name)


def _head(head: str) -> tuple[str, str, bool]:
    """Media type with its parameters, name of the file, whether the data is base64."""
    essence, *parameters = (part.strip() for part in head.split(";"))
    is_base64 = bool(parameters) and parameters[-1].lower() == "base64"
    if is_base64:
        parameters.pop()
    if essence and not _ESSENCE.fullmatch(essence):
        raise ValueError("Invalid data URL: its media type is none")
    name, kept = "", []
    for parameter in parameters:
        found = _PARAMETER.fullmatch(parameter)
        if found is None:
            raise ValueError("Invalid data URL: a parameter of its media type is none")
        if found[1].lower() == "name":
            name = base_name(unquote(found[2].strip('"')))
        else:
            kept.append(f";{parameter}")
    if not essence:
        essence = "text/plain" if kept else DEFAULT_MEDIA_TYPE
        return essence + "".join(kept), name, is_base64
    return essence.lower() + "".join(kept), name, is_base64


def _decoded(data: bytes, *, is_base64: bool) -> bytes:
    if b"%" in data:
        if _LOOSE_PERCENT.search(data):
            raise ValueError("Invalid data URL: a % without two hexadecimal digits")
        # The same with another sign is quoted-printable, for which there is fast code.
        data = binascii.a2b_qp(data.replace(b"=", b"=3D").replace(b"%", b"="))
    if not is_base64:
        return data
    try:
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
    except binascii.Error:
        raise ValueError("Invalid data URL: its data is not base64") from None


def to_data_url(file: File) -> str:
    """The file as a `data:` URL. Raises as `File.read` does."""
    content = base64.b64encode(file.read()).decode("ascii")
    name = base_name(file.filename)
    parameter = f";name={quote(name, safe='')}" if name else ""
    return f"data:{_written(file.media_type)}{parameter};base64,{content}"


def _written(media_type: str) -> str:
    """The media type as it can stand in a URL."""
    essence, *parameters = (part.strip() for part in media_type[:_MAX_HEAD].split(";"))
    if not _ESSENCE.fullmatch(essence) or len(essence) > _MAX_HEAD // 2:
        return OCTETS
    kept = [
        parameter
        for parameter in parameters
        if len(parameter) < _MAX_HEAD // 4
        and parameter.isascii()
        and not {",", '"', "#"} & set(parameter)
        and (found := _PARAMETER.fullmatch(parameter))
        and found[1].lower() != "name"
    ]
    written = ";".join([essence.lower(), *kept[:3]])
    return written if len(written) < _MAX_HEAD // 2 else essence.lower()
