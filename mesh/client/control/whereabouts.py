"""Where the control API is, if nobody says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mesh.errors import ConfigError
from mesh.serving.home import Home
from mesh.serving.kept_login import kept_login
from mesh.serving.served import served

URL, TOKEN = "MESH_CONTROL_URL", "MESH_CONTROL_TOKEN"  # names of variables
PREFIX = "/api/mesh/v1"
"""Where the control API is at its port."""
DEFAULT_URL = "http://127.0.0.1:3001"
"""Where `mesh serve` has it."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """An address, without a slash at its end, and the token that is wanted there (empty: none).

    `is_guess` says that nobody named it and no mesh of the state folder runs.
    """

    url: str
    token: str = field(default="", repr=False)
    is_guess: bool = False


def find(
    url: str | None, token: str | None, environ: Mapping[str, str], state: Path | None = None
) -> Whereabouts:
    """What is given, else the environment's, else that of the mesh of a state folder.

    Without one that runs it is where `mesh login` was told. The token of a state folder goes only
    to what runs with it, that of a login only there. Raises ConfigError for a URL of another
    scheme.
    """
    said = url or environ.get(URL, "")
    secret = token or environ.get(TOKEN, "")
    if said and secret:
        return Whereabouts(checked(said), secret)
    home = Home.of(state, environ)
    running = home.announcement()
    here = [running.control_url] if running else []
    here += served(home)
    login = kept_login(home)
    elsewhere = [login.url] if login else []
    wanted = checked(said) if said else next(iter(here + elsewhere), DEFAULT_URL)
    if not secret and wanted in here:
        secret = home.token()
    elif not secret and login and wanted == login.url:
        secret = login.token
    return Whereabouts(wanted, secret, is_guess=not said and not here and not elsewhere)


def checked(url: str) -> str:
    """The address of a control API. Raises ConfigError for one of another scheme."""
    if "://" not in url:
        url = f"http://{url}"
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{url!r}: the control API is at http://host:port or https://")
    # The address of the API, as mesh up prints it, is as good as that of the port.
    return url.rstrip("/").removesuffix(PREFIX).rstrip("/")
