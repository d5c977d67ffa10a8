"""Where a store is, as `--store` says."""

import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from mesh.errors import ConfigError

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class InMemory:
    """Nowhere that outlives the process."""


@dataclass(frozen=True, slots=True)
class InFile:
    """A SQLite database; `path` is absolute."""

    path: Path


@dataclass(frozen=True, slots=True)
class AtServer:
    """A PostgreSQL database. `label` names it without what is secret in `url`."""

    url: URL
    label: str


Location = InMemory | InFile | AtServer


def locate(text: str) -> Location:
    """What `memory:`, a path, `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DB` means.

    Relative paths begin at the working folder, and `~` at the user's. Raises ConfigError naming
    the flag `--store` for anything else, without what follows the scheme: it may be secret.
    """
    if text == "memory:":
        return InMemory()
    if text.startswith("postgresql://"):
        return _server(text)
    path = text.removeprefix(_SQLITE)
    scheme = _SCHEME.match(path)
    if scheme:
        raise ConfigError(
            f"--store {scheme[0]}...: not memory:, a path, sqlite:///PATH or"
            " postgresql://USER:PASSWORD@HOST/DB"
        )
    if not path or path.endswith("/") or Path(path).expanduser().is_dir():
        raise ConfigError(f"--store {text!r}: not the name of a file")
    return InFile(Path(path).expanduser().absolute())


def _server(text: str) -> AtServer:
    try:
        url = make_url(text).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        # The error of make_url has the password in it.
        raise ConfigError(
            "--store postgresql://...: not of the form postgresql://USER:PASSWORD@HOST:PORT/DB"
        ) from None
    # libpq takes passwords in the query too.
    named = url.set(drivername="postgresql", query={})
    return AtServer(url, named.render_as_string(hide_password=True))
