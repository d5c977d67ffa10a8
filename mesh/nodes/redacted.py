"""What programs say, without the secrets that they were given."""

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from mesh.launch import NO_SECRETS, Secrets

HIDDEN = "***"
_USERINFO = re.compile(r"(\w://)[^/?#\s]*@")
_SHORT = 6
"""Values with fewer characters are hidden only where they stand alone: they are in words, too."""
_LEAST = 3
"""Values with fewer characters keep no secret."""


def redacted(text: str, given: Secrets = NO_SECRETS) -> str:
    """A text without the values that are `given`, and without names and passwords in URLs."""
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    for value in sorted(set(_told(given)), key=len, reverse=True):
        if len(value) < _LEAST:
            continue
        found = re.escape(value)
        text = re.sub(rf"(?<!\w){found}(?!\w)" if len(value) < _SHORT else found, HIDDEN, text)
    return text


def _told(given: Secrets) -> Iterator[str]:
    """The values, line by line, and what is secret in those that are URLs."""
    files = (content.decode(errors="replace") for content in given.files.values())
    for value in (*given.envs.values(), *files):
        for line in filter(None, map(str.strip, value.splitlines())):
            yield line
            for part in line.split():
                yield from _of_url(part)


def _of_url(text: str) -> Iterator[str]:
    try:
        url = urlsplit(text)
    except ValueError:
        return
    secret = url.password or url.username  # tokens stand for a name, without a password
    if secret:
        yield secret
        yield unquote(secret)
