"""Where a node keeps what it needs for releases, and how much."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from mesh.config.quantity import Bytes
from mesh.errors import ConfigError

CACHE = "MESH_CACHE"
"""The variable that names the folder."""
LIMIT = "MESH_CACHE_LIMIT"
"""The variable that says how large it may be, such as `200Gi`."""
ENVS_LATER = "MESH_ENVS_LATER"
"""The variable that is set where a release is only described: a deployment brings its variables."""
USUAL_LIMIT = 64 * 2**30
"""Bytes where nobody says."""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """`cache` is a folder (empty: as the environment of the node says), `limit` its bytes (0: so).

    Requirements have `install_timeout` seconds to be installed, a release `describe_timeout`
    seconds to be imported.
    """

    cache: str = ""
    limit: int = 0
    install_timeout: float = 1800.0
    describe_timeout: float = 300.0


def cache_folder(settings: NodeSettings, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder: as the settings say, else as `MESH_CACHE`, else among the user's caches."""
    if said := settings.cache or environ.get(CACHE, ""):
        return Path(said).expanduser().absolute()
    caches = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(caches).expanduser().absolute() / "serving-mesh"


def cache_limit(settings: NodeSettings, environ: Mapping[str, str] = os.environ) -> int:
    """Bytes that the folder may hold. Raises ConfigError if the environment says nonsense."""
    if settings.limit:
        return settings.limit
    said = environ.get(LIMIT, "")
    try:
        return TypeAdapter(Bytes).validate_python(said) if said else USUAL_LIMIT
    except ValueError:
        raise ConfigError(f"{LIMIT}: {said!r} is no number of bytes such as '200Gi'") from None
