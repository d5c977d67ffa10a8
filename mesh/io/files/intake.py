"""Puts the files of one call into its folder."""

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mesh.io.files.folder import Folder
from mesh.io.files.name import base_name
from mesh.io.types.file import File

Fetch = Callable[[str, Callable[[], Path]], File]
"""Downloads a URL to a new path, which it asks for when content comes (see `Fetcher.fetch`)."""

_RANDOM: Final = 8
"""Random bytes in a name."""


class CallIntake:
    """The `Intake` of one call.

    `fetch` downloads for it; without one, URLs are refused.
    """

    __slots__ = ("_fetch", "_folder")

    def __init__(self, folder: Folder, fetch: Fetch | None = None) -> None:
        self._folder = folder
        self._fetch = fetch

    def __repr__(self) -> str:
        return f"<CallIntake {self._folder!r}>"

    @property
    def folder(self) -> Folder:
        """The call's folder."""
        return self._folder

    def keep(self, file: File) -> Path:
        """A new path of the file's content in the call's folder, ending in the file's base name.

        Raises ValueError if the content can't be fetched, OSError if it can't be written.
        """
        if file.uri:
            file = self.fetch(file.uri)
        target = self._new_path(file.filename)
        if file.path is None:
            with target.open("xb") as handle:
                handle.write(file.data)
        elif not self._linked(file.path, target):
            shutil.copyfile(file.path, target)
        return target

    def fetch(self, uri: str) -> File:
        """The content behind the URL, as a file in the call's folder; raises ValueError."""
        if self._fetch is None:
            raise ValueError("URLs are not accepted here")
        return self._fetch(uri, self._new_path)

    def _new_path(self, name: str = "") -> Path:
        name = base_name(name)
        prefix = secrets.token_hex(_RANDOM)
        return self._folder.path / (f"{prefix}-{name}" if name else prefix)

    def _linked(self, path: Path, target: Path) -> bool:
        """Gives a file that is in the folder already a second name, where that can be done.

        It keeps the first, for a union may try the same file as something else.
        """
        if path.is_symlink() or not path.is_relative_to(self._folder.path):
            return False
        try:
            os.link(path, target)
        except OSError:  # the file system knows no links
            return False
        return True
