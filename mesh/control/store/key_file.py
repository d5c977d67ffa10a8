"""The secret keys of a store in a file beside it, and how another comes into their place."""

import base64
import logging
import os
import secrets
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from mesh.control.store.sealing import KEY_BYTES, Seal, read_seal
from mesh.errors import ConfigError, FailedPrecondition

_log = logging.getLogger(__name__)


class KeyFile:
    """A file of secret keys, the first of which encrypts.

    Whoever reads or writes it has the lock of the database (see Database.alone). `replace` gives a
    new file the name of the old one, at once.
    """

    def __init__(self, path: Path, replace: Callable[[Path, Path], object] = os.replace) -> None:
        self._path = path
        self._replace = replace

    def __repr__(self) -> str:
        return f"KeyFile({self._path})"

    def seal(self) -> Seal:
        """A seal of what is in it (see sealing.read_seal); it is made if it does not exist.

        Raises ConfigError if it cannot be read or made, or holds no keys.
        """
        path = self._path
        try:
            if not path.exists():
                self._write([new_key()])
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                _log.warning("%s: others than its owner may read the secret key: chmod 600", path)
            text = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"the secret key {path}: {error.strerror}") from error
        return read_seal(text, str(path))

    def keep(self, keys: Sequence[bytes]) -> None:
        """Has these keys and no others from now on, or, if it raises, perhaps those before.

        Raises FailedPrecondition if it cannot be written.
        """
        try:
            self._write(keys)
        except OSError as error:
            why = error.strerror or error
            raise FailedPrecondition(f"the secret key {self._path}: {why}") from error

    def _write(self, keys: Sequence[bytes]) -> None:
        """Whole and on the disk before it has its name: what it encrypts must never outlive it.

        What a crash left of the last attempt gives way. A link goes on leading to where it does.
        """
        path = self._path.resolve()
        new = path.with_name(f"{path.name}.new")
        new.unlink(missing_ok=True)
        new.touch(0o600, exist_ok=False)
        with new.open("wb") as file:
            file.writelines(base64.b64encode(key) + b"\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())
        self._replace(new, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def new_key() -> bytes:
    """A key that nobody has had."""
    return secrets.token_bytes(KEY_BYTES)


def not_in_a_file(seal: Seal) -> FailedPrecondition:
    """What to say where the secret key is not in a file, so that only an operator changes it."""
    if not seal.keys:
        return FailedPrecondition(f"no secret key to change: {seal.where}")
    return FailedPrecondition(
        f"the secret key is in {seal.where}: put a new one (`openssl rand -base64 {KEY_BYTES}`)"
        " before it there, with a comma between, restart the mesh, then take the old one out"
    )
