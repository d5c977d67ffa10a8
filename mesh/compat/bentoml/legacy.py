"""Services of BentoML's API before its 1.2, which are functions over runners."""

from typing import Any, NoReturn

from mesh.errors import ConfigError


def adapt(service: Any) -> NoReturn:
    """Refuses it: ConfigError."""
    raise ConfigError(
        f"{service.name!r} is a service of BentoML's legacy API (runners and io descriptors),"
        " which does not run on the mesh: make it a class with @bentoml.service"
    )
