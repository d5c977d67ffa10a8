"""Names of files: what is left of one that a client gave, and the media type that one suggests."""

import mimetypes
import re
import unicodedata
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 150
"""Longest name in UTF-8: file systems take 255, and prefixes need room."""
_MAX_SUFFIX: Final = 20
_SCANNED: Final = 4096
"""Characters at the end of a name that are looked at."""

FOLDER_PREFIX: Final = "mesh-call-"
"""What names of calls' folders start with."""
_RANDOM_PREFIX = re.compile(r"^[0-9a-f]{16}-(?=.)", re.DOTALL)  # put there by CallIntake

_RESERVED = re.compile(r'[<>:"|?*]')
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])")
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories of what nobody sees, and what no file system can spell."""

_TYPES = mimetypes.MimeTypes()  # Python's own table; the module's functions read the machine's
_ADDED = {
    "application/gzip": [".gz"],
    "application/toml": [".toml"],
    "application/vnd.apache.arrow.file": [".arrow", ".feather"],
    "application/vnd.apache.arrow.stream": [".arrows"],
    "application/vnd.apache.parquet": [".parquet"],
    "application/x-ndjson": [".jsonl", ".ndjson"],
    "application/x-npy": [".npy"],
    "application/yaml": [".yaml", ".yml"],
    "audio/flac": [".flac"],
    "audio/mp4": [".m4a"],
    "audio/ogg": [".oga", ".ogg", ".opus"],
    "image/avif": [".avif"],
    "image/heic": [".heic"],
    "image/jp2": [".jp2"],
    "image/webp": [".webp"],
    "text/markdown": [".markdown", ".md"],
    "video/x-matroska": [".mkv"],
}
for _type, _suffixes in _ADDED.items():
    for _suffix in _suffixes:
        _TYPES.add_type(_type, _suffix)


def base_name(given: str) -> str:
    r"""The last component of a name from anywhere, harmless in every folder; may be empty.

    `/` and `\` both separate folders. What can't be seen is dropped, what Windows gives a meaning
    becomes `_`, and a long name loses its middle, not its suffix.
    """
    last = given[-_SCANNED:].replace("\\", "/").rstrip("/").rpartition("/")[2]
    seen = "".join(char for char in last if unicodedata.category(char) not in _UNSEEN)
    name = _shortened(_RESERVED.sub("_", seen).strip().rstrip(". "))
    device = _DEVICES.fullmatch(name.partition(".")[0].rstrip())
    return f"_{name}" if device else name


def given_name(path: Path) -> str:
    """The base name to send a file under: the one it came with, if it came with the call."""
    name = path.name
    if path.parent.name.startswith(FOLDER_PREFIX):
        name = _RANDOM_PREFIX.sub("", name)
    return base_name(name)


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_BYTES:
        return name
    stem, dot, suffix = name.rpartition(".")
    end = f".{suffix}" if dot and stem and len(suffix.encode()) < _MAX_SUFFIX else ""
    start = (stem if end else name).encode()[: MAX_BYTES - len(end.encode())]
    return f"{start.decode(errors='ignore').rstrip('. ')}{end}"


def guess_media_type(name: str) -> str:
    """The media type that the end of a name suggests; empty if none.

    The same on every machine, whatever types it has been told of.
    """
    # With a slash in front nothing in the name is taken for the scheme of a URL.
    return _TYPES.guess_type(f"/{name}")[0] or ""
