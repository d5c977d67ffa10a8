"""What `mesh login` keeps in the state folder: where a control API is, and a token for it."""

import json
from dataclasses import asdict, dataclass, field

from mesh.serving.home import Home, fault, write_at_once


@dataclass(frozen=True, slots=True)
class Login:
    """A control URL, without a slash at its end, and the token that is shown there."""

    url: str
    token: str = field(repr=False)


def kept_login(home: Home) -> Login | None:
    """What is kept, if anything that can be read."""
    try:
        found = json.loads((home.folder / _NAME).read_text())
        return Login(str(found["url"]), str(found["token"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def keep_login(home: Home, login: Login) -> None:
    """Keeps it, for the user alone. Raises ConfigError."""
    home.make()
    path = home.folder / _NAME
    try:
        write_at_once(path, asdict(login))
    except OSError as error:
        raise fault(path, error) from error


def forget_login(home: Home) -> None:
    """Keeps it no more. Raises ConfigError."""
    path = home.folder / _NAME
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise fault(path, error) from error


_NAME = "login.json"
