"""Names of releases: `name:version`."""

import re
from dataclasses import dataclass

from mesh.errors import ConfigError

_PART = re.compile(r"[a-z0-9]([-._a-z0-9]*[a-z0-9])?")
LONGEST = 63
"""Characters of a name, and of a version."""
LATEST = "latest"
"""What stands for the newest version."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A release; an empty `version` is the newest."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.version}" if self.version else self.name

    @classmethod
    def of(cls, text: str) -> "Tag":
        """Reads `name`, `name:latest` or `name:version`. Raises ConfigError naming the part."""
        name, _, version = text.partition(":")
        checked(name, "name")
        if version in ("", LATEST):
            return cls(name)
        return cls(name, checked(version, "version"))


def is_tag(text: str) -> bool:
    """Whether a text can only be a release: `name:version`, and no `pkg.mod:Service` or path."""
    name, colon, version = text.partition(":")
    parts = (name, version)
    return bool(colon) and all(_PART.fullmatch(each) for each in parts) and "." not in name


def is_name(text: str) -> bool:
    """Whether a text may be the name of a release, and is no `pkg.mod`."""
    return bool(_PART.fullmatch(text)) and "." not in text


def checked(text: str, what: str) -> str:
    """The text, if it can be a name or version. Raises ConfigError naming `what`."""
    if not _PART.fullmatch(text) or len(text) > LONGEST:
        raise ConfigError(
            f"{what} {text!r}: up to {LONGEST} small letters, digits, and -._ inside, as in"
            " classifier:1.2"
        )
    return text
