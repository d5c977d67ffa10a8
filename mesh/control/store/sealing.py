"""Secrets at rest: encrypted with a key that is not in the database."""

import base64
import binascii
import logging
import os
import re
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from mesh.errors import ConfigError, FailedPrecondition

KEY_BYTES = 32
VARIABLE = "MESH_SECRET_KEY"
"""The environment variable that has the secret keys, if no file has."""

_log = logging.getLogger(__name__)


class Seal:
    """Encrypts with the first of its secret keys; decrypts with any (Fernet: AES-CBC and HMAC).

    `keys` are 32 random bytes each; without any, everything it is asked for fails. `where` says
    where they come from, for messages.
    """

    def __init__(self, keys: Sequence[bytes], where: str) -> None:
        self._where = where
        fernets = [Fernet(base64.urlsafe_b64encode(key)) for key in keys]
        self._fernet = MultiFernet(fernets) if fernets else None
        self.several = len(keys) > 1
        """Whether it decrypts with more keys than the one it encrypts with."""

    def __repr__(self) -> str:
        return f"Seal({self._where})"

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


def file_seal(path: Path) -> Seal:
    """A seal of the keys in a file (see read_seal), which is made with a new one if there is none.

    Raises ConfigError if the file cannot be read or made, or holds no keys.
    """
    try:
        if not path.exists():
            _make(path)
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            _log.warning("%s: others than its owner may read the secret key: chmod 600", path)
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the secret key {path}: {error.strerror}") from error
    return read_seal(text, str(path))


def _decoded(word: bytes) -> bytes | None:
    try:
        return base64.b64decode(word.translate(bytes.maketrans(b"-_", b"+/")), validate=True)
    except binascii.Error:
        return None


def _make(path: Path) -> None:
    """Whole and on the disk before it has its name: what it encrypts must never outlive it."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        new.touch(0o600, exist_ok=False)
        with new.open("wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(new)
        except FileExistsError:
            return  # another process was faster; its key is the one
    finally:
        new.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
