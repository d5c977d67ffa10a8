"""What is in the secrets that a replica is to get: which variables, which files."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from mesh.control.records import DEFAULT_ORGANIZATION
from mesh.control.store.catalogue import Catalogue, Entry, Kind
from mesh.errors import FailedPrecondition, NotFound
from mesh.launch import Secrets

HOMES = ("$BENTOML_HOME", "${BENTOML_HOME}")
"""How users write the home of a replica, below which its files are."""
KEPT = frozenset({"models", "bentos"})
"""Folders of a home in which a secret has no place: what is there is shared, or made anew."""


def secrets_of(entries: Iterable[Entry], stage: str = "runtime") -> Secrets:
    """The variables and files of secrets, as far as they are for `stage`.

    Raises:
        FailedPrecondition: two secrets are about the same variable or file, or one of them cannot
            be given to a replica. The message names secrets and keys, never values.
    """
    envs = _Taken("the variable")
    files = _Taken("the file")
    for entry in entries:
        if (entry.document.get("stage") or "runtime") not in (stage, "all"):
            continue
        for item in entry.document.get("items") or ():
            key = str(item.get("key") or "")
            if entry.document.get("type") == "mountfile":
                files.take(entry.name, _path(entry, key, item), _value(entry, key).encode())
            else:
                envs.take(entry.name, _variable(entry, key), _value(entry, key))
    _check_folders(files)
    return Secrets(envs.values, files.values)


async def injected(
    catalogue: Catalogue,
    names: Iterable[str],
    organization: str = DEFAULT_ORGANIZATION,
    stage: str = "runtime",
) -> Secrets:
    """What of the secrets of these names is for `stage`.

    Raises NotFound, FailedPrecondition (see `secrets_of`), and what the catalogue raises.
    """
    return secrets_of(await named(catalogue, names, organization), stage)


async def named(
    catalogue: Catalogue, names: Iterable[str], organization: str = DEFAULT_ORGANIZATION
) -> tuple[Entry, ...]:
    """The secrets of these names. Raises NotFound, naming all that are not there."""
    entries = {
        name: await catalogue.entry(Kind.SECRET, name, organization=organization) for name in names
    }
    missing = ", ".join(sorted(repr(name) for name, entry in entries.items() if entry is None))
    if missing:
        raise NotFound(f"there is no secret {missing}")
    return tuple(entry for entry in entries.values() if entry is not None)


class _Taken:
    """Values by what they are for, which only one secret may say. `what` is for people."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.by: dict[str, str] = {}
        self.values: dict[str, Any] = {}

    def take(self, secret: str, name: str, value: Any) -> None:
        if name in self.by:
            raise FailedPrecondition(f"{_both(self.by[name], secret)} set {self._what} {name}")
        self.by[name] = secret
        self.values[name] = value


def _both(one: str, other: str) -> str:
    if one == other:
        return f"two items of secret {one!r}"
    return f"the secrets {one!r} and {other!r} both"


def _value(entry: Entry, key: str) -> str:
    try:
        return entry.secret[key]
    except KeyError:
        raise FailedPrecondition(f"secret {entry.name!r} has no value for {key!r}") from None


def _variable(entry: Entry, key: str) -> str:
    if not key or "=" in key or "\0" in key:
        raise FailedPrecondition(f"secret {entry.name!r}: {key!r} is no name of a variable")
    if "\0" in entry.secret.get(key, ""):
        raise FailedPrecondition(f"secret {entry.name!r}: a variable cannot hold what {key} is")
    return key


def _path(entry: Entry, key: str, item: Any) -> str:
    """`path/sub_path/key`, relative to the home of the replica."""
    folder = str(entry.document.get("path") or "")
    for home in HOMES:
        if folder == home or folder.startswith(f"{home}/"):
            folder = folder[len(home) :].lstrip("/")
            break
    path = PurePosixPath(folder, str(item.get("sub_path") or ""), key)
    if path.is_absolute():
        raise FailedPrecondition(
            f"secret {entry.name!r}: files are below $BENTOML_HOME, so {str(path.parent)!r} cannot"
            " be where they are"
        )
    is_name = key not in ("", ".", "..") and "/" not in key
    if not is_name or ".." in path.parts or "\0" in str(path) or "$" in path.parts[0]:
        raise FailedPrecondition(f"secret {entry.name!r}: {str(path)!r} is no place for a file")
    if path.parts[0] in KEPT:
        raise FailedPrecondition(
            f"secret {entry.name!r}: {path.parts[0]} is kept for what the release brings along"
        )
    return str(path)


def _check_folders(files: _Taken) -> None:
    """Of two files none can be in a folder that the other is. Raises FailedPrecondition."""
    for name, secret in files.by.items():
        for parent in PurePosixPath(name).parents:
            if str(parent) in files.by:
                one = files.by[str(parent)]
                raise FailedPrecondition(f"{_both(one, secret)} set the file {parent}")
