"""The folder that holds the files of one call."""

import logging
import shutil
import tempfile
from pathlib import Path
from threading import Lock

from mesh.io.files.name import FOLDER_PREFIX

log = logging.getLogger("mesh.io")


class Folder:
    """A temporary folder that is made when it is first asked for; usable from several threads.

    `parent` is the folder around it (default: the system's for temporary files). Nobody but this
    user may look inside.
    """

    __slots__ = ("_lock", "_parent", "_path", "_removed")

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent
        self._path: Path | None = None
        self._removed = False
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<Folder {self._path or ('removed' if self._removed else 'not made')}>"

    @property
    def made(self) -> bool:
        """Whether there is anything to remove."""
        return self._path is not None

    @property
    def path(self) -> Path:
        """Where it is. Raises OSError if it can't be made, FileNotFoundError if it was removed."""
        with self._lock:
            if self._removed:
                raise FileNotFoundError("the call has ended, and its folder is gone")
            if self._path is None:
                self._path = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=self._parent))
            return self._path

    def remove(self) -> None:
        """Removes the folder with all that is in it; may be called again, and never raises."""
        with self._lock:
            path, self._path, self._removed = self._path, None, True
        if path is None:
            return
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            _unlock(path)
            shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            log.warning("%s could not be removed", path)


def _unlock(folder: Path) -> None:
    """Lets this user into the folder and those below, links aside, which lead elsewhere."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            here.chmod(0o700)
            waiting += [path for path in here.iterdir() if path.is_dir() and not path.is_symlink()]
        except OSError:  # another user's, or gone: `remove` says so
            continue
