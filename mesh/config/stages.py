"""When variables of a deployment are wanted: while its release is installed, or runs. Pure.

Clients of the cloud API say so of each variable; where nobody says, it is for its run time.
"""

from collections.abc import Mapping
from typing import Any

from mesh.config.deployment import VersionConfig

STAGES = "stages"
"""The annotation that has the stages of variables by name: `build`, `runtime` or `all`."""
OF_SERVICES = "services"
"""The annotation that has such annotations of services, by name."""
_BUILD = "build"


def build_envs(version: VersionConfig) -> dict[str, str]:
    """The variables that the installation of its requirements gets."""
    found = _at_build(version.envs, version.annotations)
    for name, service in version.services.items():
        found |= _at_build(service.envs, _of_service(version, name))
    return found


def running(version: VersionConfig) -> VersionConfig:
    """The same, with the variables that its replicas get."""
    services = {
        name: each.model_copy(update={"envs": _at_runtime(each.envs, _of_service(version, name))})
        for name, each in version.services.items()
    }
    envs = _at_runtime(version.envs, version.annotations)
    return version.model_copy(update={"envs": envs, "services": services})


def stages_of(main: VersionConfig, canary: VersionConfig) -> dict[str, Any]:
    """The annotations of a canary, with the stages of what it has of main."""
    found = dict(canary.annotations)
    if not canary.envs and STAGES in main.annotations:
        found[STAGES] = main.annotations[STAGES]
    theirs = _mapping(canary.annotations.get(OF_SERVICES))
    of_main = {
        name: {STAGES: stages}
        for name in main.services.keys() - canary.services.keys()
        if (stages := _mapping(_of_service(main, name).get(STAGES)))
    }
    if of_main:
        found[OF_SERVICES] = {**theirs, **of_main}
    return found


def _at_build(envs: Mapping[str, str], annotations: Mapping[str, Any]) -> dict[str, str]:
    stages = _mapping(annotations.get(STAGES))
    return {name: each for name, each in envs.items() if stages.get(name) in (_BUILD, "all")}


def _at_runtime(envs: Mapping[str, str], annotations: Mapping[str, Any]) -> dict[str, str]:
    stages = _mapping(annotations.get(STAGES))
    return {name: each for name, each in envs.items() if stages.get(name) != _BUILD}


def _of_service(version: VersionConfig, name: str) -> Mapping[str, Any]:
    return _mapping(_mapping(version.annotations.get(OF_SERVICES)).get(name))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}  # whoever writes annotations is free in them
