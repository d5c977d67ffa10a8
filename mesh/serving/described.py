"""What is at hand here → the application that a controller elsewhere is sent.

No code goes along: classes are named by their module, which replicas must find in the folders that
this process finds it in.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mesh.config import MAIN, DeploymentConfig, parse
from mesh.errors import ConfigError
from mesh.serving.application import Application, Release, application, from_config
from mesh.serving.documents import read
from mesh.serving.wanted import NOTHING, deployment_name, mesh_config


class DescribedFile(NamedTuple):
    """What a deployment file asks for; `endpoints` are its own words, keys of upstreams in them.

    `is_list` says that it has a list of deployments, though maybe of one. `releases` are the
    settings of deployments of what was pushed.
    """

    applications: tuple[Application, ...]
    endpoints: Mapping[str, Any]
    is_list: bool
    releases: tuple[Mapping[str, Any], ...] = ()


def described_file(
    file: Path, path: Sequence[str], settings: Mapping[str, Any] = NOTHING
) -> DescribedFile:
    """The applications of a deployment file; `path` are the folders of modules.

    `settings` go over those of a file that has one deployment.

    Raises:
        ConfigError: the file, a setting or a target is wrong; the message names it.
    """
    wanted = mesh_config("", file, path, settings, what="deploy")
    document = read(file)
    applications, releases = [], []
    for each in wanted.deployments:
        if each.names_release:
            releases.append(each.model_dump(mode="json"))
        else:
            made = from_config(each, path, instance_types=wanted.instance_types)
            applications.append(made)
    return DescribedFile(
        tuple(applications),
        # As it was written: what is not said of a key is not the same as an empty one.
        document.get("endpoints", {}),
        "deployments" in document,
        tuple(releases),
    )


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
