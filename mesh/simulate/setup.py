"""What is simulated: a service's rule and limits, of a deployment file or of settings alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesh.config import DeploymentConfig, MeshConfig, Scaling, ServiceOverrides, Traffic, parse
from mesh.control.autoscale import ScaleRule
from mesh.control.scale_rule import rule_of
from mesh.errors import ConfigError

COLD_START_TIMEOUT = 60.0
"""Seconds that calls wait for a first replica where the service does not say."""
_ANY = "unknown:Unknown"
"""Stands for a target that the file leaves to the command line: code is not looked at."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A service as the simulation sees it.

    A replica works on `parallel` calls at once, each for its service time; others wait in it, or
    outside if the rule has an external queue. `max_concurrency` is in calls per replica (0: no
    limit), `queue_limit` in calls that wait outside; all times are in seconds. `start_time` is
    what a replica takes until it is ready. Decisions are made every `report_interval` seconds.
    """

    rule: ScaleRule
    parallel: int = 1
    max_concurrency: int = 0
    queue_limit: int = 1000
    timeout: float | None = 60.0
    cold_start_timeout: float = COLD_START_TIMEOUT
    start_time: float = 10.0
    report_interval: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Assumed:
    """What settings leave open: see Setup. `parallel` None is the service's concurrency."""

    parallel: int | None = None
    start_time: float = 10.0
    report_interval: int = 2
    seed: int = 0


def setup_of(service: ServiceOverrides, what: str, assumed: Assumed) -> Setup:
    """What a service with these settings is in a simulation. Raises ConfigError.

    Settings that are not there have the decorator's defaults: no code is looked at.
    """
    given = service.traffic or service.config_overrides.traffic or {}
    traffic = parse(Traffic, given, what=f"{what}: traffic")
    if service.replicas == 0:
        raise ConfigError(f"{what}: replicas: none are to run, so nothing can be simulated")
    number = service.replicas or 1
    scaling = service.scaling or Scaling(min_replicas=number, max_replicas=number)
    parallel = assumed.parallel or traffic.concurrency or traffic.max_concurrency or 1
    most = traffic.concurrency if traffic.external_queue else traffic.max_concurrency
    cold = service.cold_start_timeout
    return Setup(
        rule=rule_of(scaling, traffic),
        parallel=parallel if most is None else min(parallel, most),  # it never gets more
        max_concurrency=traffic.max_concurrency or 0,
        queue_limit=traffic.queue_limit,
        timeout=traffic.timeout,
        cold_start_timeout=COLD_START_TIMEOUT if cold is None else cold,
        start_time=assumed.start_time,
        report_interval=assumed.report_interval,
        seed=assumed.seed,
    )


def services_in(document: Mapping[str, Any], what: str) -> dict[str, ServiceOverrides]:
    """The services that a file has settings for, by name; a deployment's own are under its name.

    The file is one for `mesh serve --config`, or has a service's settings alone (`scaling`,
    `traffic`, ...): those are under an empty name. With several deployments, names begin with
    that of the deployment and a slash. Targets need not be there. Raises ConfigError.
    """
    if "deployments" in document:
        listed = document["deployments"]
        if isinstance(listed, list):
            listed = [_complete(each) if isinstance(each, dict) else each for each in listed]
        config = parse(MeshConfig, {**document, "deployments": listed}, what=what)
        if len(config.deployments) > 1:
            return {
                f"{each.name}/{name}" if name != each.name else name: settings
                for each in config.deployments
                for name, settings in _services(each).items()
            }
        return _services(config.deployments[0])
    if document.keys() <= ServiceOverrides.model_fields.keys():
        return {"": parse(ServiceOverrides, document, what=what)}
    return _services(parse(DeploymentConfig, _complete(document), what=what))


def _complete(document: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": "deployment", "target": _ANY, **document}


def _services(deployment: DeploymentConfig) -> dict[str, ServiceOverrides]:
    """The services that are named; the deployment itself if none is.

    What the deployment says of all services holds where one says nothing itself.
    """
    common = {"replicas": deployment.replicas, "scaling": deployment.scaling}
    if not deployment.services:
        return {deployment.name: ServiceOverrides.model_validate(common)}
    found = {}
    for name, service in deployment.services.items():
        says_number = service.replicas is not None or service.scaling is not None
        found[name] = service if says_number else service.model_copy(update=common)
    return found
