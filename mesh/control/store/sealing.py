"""Secrets at rest: encrypted with a key that is not in the database."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from mesh.errors import ConfigError, FailedPrecondition

KEY_BYTES = 32
VARIABLE = "MESH_SECRET_KEY"
"""The environment variable that has the secret keys, if no file has."""


@dataclass(frozen=True, slots=True)
class _Key:
    """A secret key that shows itself nowhere."""

    data: bytes = field(repr=False)


class Seal:
    """Encrypts with the first of its secret keys; decrypts with any (Fernet: AES-CBC and HMAC).

    `keys` are 32 random bytes each; without any, everything it is asked for fails. `where` says
    where they come from, for messages.
    """

    def __init__(self, keys: Sequence[bytes], where: str) -> None:
        self._where = where
        self.take(keys)

    def __repr__(self) -> str:
        return f"Seal({self._where})"

    def take(self, keys: Sequence[bytes]) -> None:
        """Has other keys from now on."""
        fernets = [Fernet(base64.urlsafe_b64encode(key)) for key in keys]
        self._fernet = MultiFernet(fernets) if fernets else None
        self._keys = tuple(map(_Key, keys))

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Its keys; the first is the one that encrypts."""
        return tuple(key.data for key in self._keys)

    @property
    def several(self) -> bool:
        """Whether it decrypts with more keys than the one it encrypts with."""
        return len(self._keys) > 1

    @property
    def where(self) -> str:
        """Where its keys come from, or why there are none."""
        return self._where

    def close(self, plain: bytes, whose: str) -> bytes:
        """Encrypts. Raises FailedPrecondition without a secret key; `whose` is for the message."""
        if self._fernet is None:
            raise FailedPrecondition(f"{whose} cannot be encrypted: {self._where}")
        return self._fernet.encrypt(plain)

    def open(self, sealed: bytes, whose: str) -> bytes:
        """Decrypts what `close` made.

        Raises FailedPrecondition if none of the keys is the one it was made with.
        """
        if self._fernet is None:
            raise FailedPrecondition(f"{whose} cannot be decrypted: {self._where}")
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            raise FailedPrecondition(
                f"{whose} cannot be decrypted with the secret key of {self._where}"
            ) from None


NO_SEAL = Seal((), f"there is no secret key, set {VARIABLE}")


def read_seal(text: bytes, where: str) -> Seal:
    """A seal of the keys in `text`: each 32 bytes in Base64, separated by white space or commas.

    The first is the one that encrypts. Raises ConfigError naming `where`, and never the text.
    """
    keys = [_decoded(word) for word in re.split(rb"[\s,]+", text) if word]
    if not keys or any(key is None or len(key) != KEY_BYTES for key in keys):
        raise ConfigError(
            f"{where}: secret keys are {KEY_BYTES} bytes in Base64 each,"
            f" as `openssl rand -base64 {KEY_BYTES}` makes them"
        )
    return Seal([key for key in keys if key is not None], where)


def _decoded(word: bytes) -> bytes | None:
    try:
        return base64.b64decode(word.translate(bytes.maketrans(b"-_", b"+/")), validate=True)
    except binascii.Error:
        return None
