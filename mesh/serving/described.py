"""What is at hand here → the application that a controller elsewhere is sent.

No code goes along: classes are named by their module, which replicas must find in the folders that
this process finds it in.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mesh.config import MAIN, DeploymentConfig, parse
from mesh.errors import ConfigError
from mesh.serving.application import Application, Release, application, from_config
from mesh.serving.wanted import deployment_name, mesh_config


def described(what: str | type, settings: Mapping[str, Any], path: Sequence[str]) -> Application:
    """The application of `pkg.mod:Service` or a service class, as one deployment.

    `settings` are those of a DeploymentConfig but the target; `path` are the folders of modules.

    Raises:
        ConfigError: a setting is wrong, or the class is in no module that others can import.
        DefinitionError: it is no service.
    """
    if isinstance(what, str):
        (config,) = mesh_config(what, None, path, settings, what="deploy").deployments
        return from_config(config, path)
    release = Release.of_class(what)
    if release.code:
        raise ConfigError(f"{what.__name__} is in no module that replicas can import")
    target = {"target": release.target}
    named = {"name": deployment_name(what.__name__), **settings, **target}
    config = parse(DeploymentConfig, named, what="deploy")
    releases = {MAIN: release} | {
        name: Release.of_target(version.target, path)
        for name, version in config.canary.versions.items()
    }
    return application(config, releases)
