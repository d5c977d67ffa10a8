"""What `--releases` says, read where it was said."""

from pathlib import Path

from mesh.errors import ConfigError

_FILE = "file://"
_SERVER = "postgresql://"


def located(releases: str, store: str = "", state: Path | None = None) -> str:
    """A folder as an absolute path, a URL as it is; relative paths begin at the working folder.

    Where nothing is said, it is empty for beside the database of `store`; a database on a server
    has the state folder instead, if there is one. Raises ConfigError for what is no folder.
    """
    if not releases:
        is_far = store.startswith(_SERVER) and state is not None
        return str(state / "releases") if is_far and state else ""
    if is_url(releases):
        return releases
    path = Path(releases.removeprefix(_FILE)).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise ConfigError(f"--releases {releases}: not a folder")
    return str(path)


def is_url(releases: str) -> bool:
    """Whether it is anything but a folder of this machine."""
    return "://" in releases and not releases.startswith(_FILE)
