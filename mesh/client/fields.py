"""Header fields that a caller gives: what both protocols can carry of them."""

import re
from base64 import b64encode
from collections.abc import Mapping

from mesh.errors import ConfigError

FieldValue = str | bytes
"""Text; bytes for a name that ends in `-bin`."""
BINARY = "-bin"
"""How the names of binary fields end; over HTTP their values are base64."""
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")


def checked(headers: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """The fields with their names in lower case.

    Raises ConfigError, naming the field, for what cannot go over both HTTP and gRPC.
    """
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigError(
                f"header {name!r}: a name is letters, digits, '-', '_' and '.', all of ASCII"
            )
        if not name.lower().endswith(BINARY):
            must_be_text(f"header {name!r}", value)
        elif not isinstance(value, bytes):
            raise ConfigError(f"header {name!r}: the value of a name in {BINARY} is bytes")
    return {name.lower(): value for name, value in headers.items()}


def must_be_text(what: str, value: object) -> None:
    """Raises ConfigError, which names `what` and not the value, for no value of a text field."""
    # The value may be a secret, and errors end in logs.
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise ConfigError(f"{what}: a value is text of printable ASCII, without spaces at its ends")


def as_text(value: FieldValue) -> str:
    """The value as it stands in a header field of HTTP."""
    return value if isinstance(value, str) else b64encode(value).decode()
