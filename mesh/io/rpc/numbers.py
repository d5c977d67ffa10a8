"""Numbers of fields and enum values, which stay what they are once clients know them.

They are kept in a file beside the module of the service, to be committed with it:
`app.py` has `app.proto.lock`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesh.errors import ConfigError

SUFFIX = ".proto.lock"
_RESERVED = range(19_000, 20_000)  # protobuf's own
_LARGEST = 2**29 - 1


@dataclass(slots=True)
class Known:
    """The numbers of one message or enum by name, and those that are gone with their names."""

    used: dict[str, int] = field(default_factory=dict)
    gone: dict[int, str] = field(default_factory=dict)


class Numbers:
    """Gives names their numbers: those that they had before, or else the next.

    `known` are messages and enums by name, as `plain` gives them. What was asked for is
    remembered, so that `plain` tells what is to be kept afterwards.
    """

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        """Raises ConfigError if `known` is not of the form that `plain` has."""
        self._before = {name: _read(name, each) for name, each in (known or {}).items()}
        self._now: dict[str, Known] = {}

    def assign(self, owner: str, names: Sequence[str]) -> dict[str, int]:
        """The numbers of these names inside the message or enum `owner`.

        A new name gets a number above all that were ever used there; so does one that was gone,
        for nobody knows whether it means the same again.
        """
        before = self._before.get(owner, Known())
        last = max([0, *before.used.values(), *before.gone])
        found: dict[str, int] = {}
        for name in names:
            number = before.used.get(name)
            if number is None:
                number = last = _following(last)
            found[name] = number
        left = {number: name for name, number in before.used.items() if name not in found}
        self._now[owner] = Known(found, before.gone | left)
        return found

    def gone(self, owner: str) -> Mapping[int, str]:
        """Numbers that `owner` had once, with their names; of those assigned so far."""
        return self._now.get(owner, Known()).gone

    def plain(self) -> dict[str, Any]:
        """All of it in plain values; messages that were not asked for are kept as they were."""
        return {
            name: {"fields": dict(each.used)}
            | ({"reserved": {str(n): gone for n, gone in each.gone.items()}} if each.gone else {})
            for name, each in sorted((self._before | self._now).items())
        }


def _following(last: int) -> int:
    following = last + 1
    return _RESERVED.stop if following in _RESERVED else following


def _read(name: str, plain: Any) -> Known:
    try:
        used = dict(plain["fields"])
        gone = {int(number): gone for number, gone in plain.get("reserved", {}).items()}
    except (TypeError, KeyError, ValueError, AttributeError):
        raise ConfigError(f"numbers of {name!r}: not of the form of a lock") from None
    numbers = [*used.values(), *gone]
    for number in numbers:
        if type(number) is not int or not 0 < number <= _LARGEST or number in _RESERVED:
            raise ConfigError(f"numbers of {name!r}: {number!r} is no number of a field")
    if len(set(numbers)) < len(numbers):
        raise ConfigError(f"numbers of {name!r}: one is used twice")
    return Known(used, gone)


def lock_path(module_file: str) -> Path:
    """Where the lock of the services in a module is."""
    return Path(module_file).with_suffix(SUFFIX)


def read_lock(path: Path) -> dict[str, Any]:
    """The known numbers by service; empty where there is no such file.

    Raises ConfigError naming the file if it is no lock.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        found = json.loads(text)["services"]
        services = {name: dict(each) for name, each in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ConfigError(f"{path} is no lock of field numbers") from None
    return services


def lock_text(services: Mapping[str, Any]) -> str:
    """What a lock with these numbers by service has in it."""
    about = "Numbers of protobuf fields, kept for all time: commit this file, do not edit it."
    return json.dumps({"about": about, "services": dict(sorted(services.items()))}, indent=2) + "\n"
