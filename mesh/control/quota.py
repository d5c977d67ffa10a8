"""Whether what is asked for is within the limits of an organization. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mesh.config import DeploymentConfig, VersionConfig, mirrored, parse
from mesh.config.limits import Limits
from mesh.control.desired import DesiredDeployment, DesiredVersion
from mesh.control.plan import planned_again
from mesh.control.records import Change, DeploymentRecord, Intent, State
from mesh.errors import QuotaExceeded


@dataclass(frozen=True, slots=True)
class Limited:
    """Limits, and the name of the group that they are of."""

    group: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Reserved:
    """What replicas reserve together: cores, bytes, devices."""

    cpu: float = 0.0
    memory: int = 0
    gpu: float = 0.0

    def __add__(self, other: "Reserved") -> "Reserved":
        return Reserved(self.cpu + other.cpu, self.memory + other.memory, self.gpu + other.gpu)


def reserved(desired: DesiredDeployment) -> Reserved:
    """What a deployment reserves with as many replicas as it may have; nothing if it is stopped."""
    # Versions with one id share their replicas.
    versions = {version.id: version for version in desired.wanted}.values()
    services = [each for version in versions for each in version.services.values()]
    return Reserved(
        sum(each.max_replicas * each.cpu for each in services),
        sum(each.max_replicas * each.memory for each in services),
        sum(each.max_replicas * each.gpu for each in services),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """A deployment as it shall be, and what it reserves until now. `is_new` if it is not there."""

    config: DeploymentConfig
    desired: DesiredDeployment
    before: Reserved = Reserved()
    is_new: bool = True


def check_change(
    limited: Limited,
    state: State,
    change: Change,
    record: DeploymentRecord,
    desired: Mapping[str, DesiredDeployment],
) -> None:
    """As `check_deployment`, for the deployment `record` of a change that is not made yet.

    `desired` is what is wanted of each deployment now.
    """
    name = record.name
    revisions = {**state.revisions, **{each.deployment: each for each in change.revisions}}
    versions = {key[1]: each for key, each in state.versions.items() if key[0] == name}
    versions.update((each.id, each) for each in change.versions)
    before = state.deployments.get(name)
    config = parse(DeploymentConfig, revisions[name].config, what=f"deployment {name}")
    asked = Asked(
        config,
        planned_again(revisions[name], versions),
        reserved(desired[name]) if name in desired else Reserved(),
        before is None or before.intent is Intent.DELETE,
    )
    others = (
        desired[each.name]
        for each in state.deployments.values()
        if each.organization == record.organization
        and each.intent is not Intent.DELETE
        and each.name != name
        and each.name in desired
    )
    check_deployment(limited, asked, others)


def check_deployment(limited: Limited, asked: Asked, others: Iterable[DesiredDeployment]) -> None:
    """Raises QuotaExceeded, naming the limit, its value and what was asked for.

    `others` are the organization's other deployments. What reserves no more than before may stay
    as large as it is, although a limit has been lowered since.
    """
    found = list(others)
    if asked.is_new:
        check_count(limited, "deployment_count", limited.limits.deployment_count, len(found))
    _check_reserved(limited, asked, sum(map(reserved, found), Reserved()))
    _check_services(limited, asked.desired)
    _check_types(limited, asked.config, asked.desired)
    _check_rules(limited, asked)


def check_count(limited: Limited, key: str, limit: int | None, there: int, more: int = 1) -> None:
    """Raises QuotaExceeded if `more` beside those that are `there` are too many."""
    if limit is not None and there + more > limit:
        raise _exceeded(limited, key, limit, f"there are {there}, and {more} more are asked for")


def check_size(limited: Limited, key: str, limit: int | None, size: int) -> None:
    """Raises QuotaExceeded if something is larger than it may be; in bytes."""
    if limit is not None and size > limit:
        raise _exceeded(limited, key, f"{limit} bytes", f"this has {size}")


def _exceeded(limited: Limited, key: str, limit: object, why: str) -> QuotaExceeded:
    return QuotaExceeded(f"the limit {key} of the group {limited.group!r} is {limit}: {why}")


def _check_reserved(limited: Limited, asked: Asked, others: Reserved) -> None:
    limits, wanted = limited.limits, reserved(asked.desired)
    for what, unit, limit in (
        ("cpu", "cores", limits.resource_cpu_limit),
        ("memory", "bytes", limits.resource_memory_limit),
        ("gpu", "GPUs", limits.resource_gpu_limit),
    ):
        own, before, rest = (getattr(each, what) for each in (wanted, asked.before, others))
        if limit is not None and own > before and own + rest > limit + _ROUNDING:
            key = f"resource_{what}_limit"
            why = f"{asked.desired.name} may reserve {own:.12g}, other deployments {rest:.12g}"
            raise _exceeded(limited, key, f"{limit:.12g} {unit}", why)


_ROUNDING = 1e-6


def _check_services(limited: Limited, desired: DesiredDeployment) -> None:
    rules = limited.limits.allow_deployment_config
    for version in desired.versions:
        for service in version.services.values():
            where = f"{service.name} of version {version.name}"
            if limited.limits.must_scale_to_zero and service.min_replicas > 0:
                why = f"{where} keeps {service.min_replicas} replicas at least: min_replicas is 0"
                raise _exceeded(limited, "must_scale_to_zero", "true", why)
            strategy = service.strategy.value
            if rules and rules.deployment_strategy and strategy not in rules.deployment_strategy:
                allowed = ", ".join(rules.deployment_strategy)
                raise _exceeded(limited, "deployment_strategy", allowed, f"{where} has {strategy}")


def _check_types(limited: Limited, config: DeploymentConfig, desired: DesiredDeployment) -> None:
    limits = limited.limits
    named = {version.name: _settings(config, version).services for version in desired.versions}
    listed = {each.name for each in limits.resource_instance_list or () if each.active}
    for version in desired.versions:
        for service in version.services:
            said = named.get(version.name, {}).get(service)
            kind = said.instance_type if said else None
            where = f"{service} of version {version.name}"
            if kind is None:
                if limits.allow_custom_resource is False:
                    why = f"{where} names no instance type"
                    raise _exceeded(limited, "allow_custom_resource", "false", why)
                continue
            if limits.resource_instance_list and kind not in listed:
                allowed = ", ".join(sorted(listed)) or "none"
                raise _exceeded(limited, "resource_instance_list", allowed, f"{where} names {kind}")
            narrow = limits.filter_down_resource_instance_names
            if narrow and kind not in narrow:
                key = "filter_down_resource_instance_names"
                raise _exceeded(limited, key, ", ".join(narrow), f"{where} names {kind}")


def _settings(config: DeploymentConfig, version: DesiredVersion) -> VersionConfig:
    """Those of a version; a canary has those that it mirrors too."""
    canary = config.canary.versions.get(version.name)
    return config if canary is None else mirrored(config, canary, version.services)


def _check_rules(limited: Limited, asked: Asked) -> None:
    rules = limited.limits.allow_deployment_config
    allowed = rules.access_authorization if rules else None
    protected = asked.config.access_authorization
    if allowed and protected not in allowed:
        words = ", ".join("true" if each else "false" for each in allowed)
        why = f"{asked.desired.name} has {'true' if protected else 'false'}"
        raise _exceeded(limited, "access_authorization", words, why)
