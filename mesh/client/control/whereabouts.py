"""Where the control API is, if nobody says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mesh.errors import ConfigError
from mesh.serving.home import Home

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

    The token of a state folder goes only to the mesh that runs there. Raises ConfigError for a URL
    of another scheme.
    """
    said = url or environ.get(URL, "")
    secret = token or environ.get(TOKEN, "")
    if said and secret:
        return Whereabouts(_checked(said), secret)
    home = Home.of(state, environ)
    running = home.announcement()
    here = running.control_url if running else ""
    wanted = _checked(said) if said else here or DEFAULT_URL
    token = secret or (home.token() if wanted == here else "")
    return Whereabouts(wanted, token, is_guess=not said and not here)


def _checked(url: str) -> str:
    if "://" not in url:
        url = f"http://{url}"
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{url!r}: the control API is at http://host:port or https://")
    # The address of the API, as mesh up prints it, is as good as that of the port.
    return url.rstrip("/").removesuffix(PREFIX).rstrip("/")
