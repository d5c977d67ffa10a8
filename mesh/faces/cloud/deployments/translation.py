"""Deployments of the cloud API ↔ settings of the mesh. Pure.

A deployment on the wire is a document with every key of `wire_of`. What the mesh has no setting for
(stages of variables, `extras`, ...) is kept in the annotations of its version, and comes back.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mesh.config import DeploymentConfig, parse
from mesh.errors import InvalidArgument
from mesh.releases.codespace import CODE
from mesh.releases.wanted import BENTO

Wire = dict[str, Any]

_KEPT = ("extras", "enable_image_builder_colocation")
_OF_POLICY = (
    "scale_up_behavior",
    "scale_down_behavior",
    "scale_up_stabilization_window",
    "scale_down_stabilization_window",
)


def tag_of(version: Mapping[str, Any]) -> str:
    """The tag of the release of a version; one that stands for its target if it has none."""
    release: str = version.get("release") or ""
    if release:
        return release
    return f"{kebab(version['target'].rpartition(':')[2]) or 'target'}:local"


def kebab(name: str) -> str:
    """A name as a DNS label: `TinyService` is `tiny-service`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
    return re.sub(r"[^a-z0-9]+", "-", spaced).strip("-")[:50].strip("-")


def wire_of(config: Mapping[str, Any]) -> Wire:
    """A deployment on the wire; `config` is the document of a `DeploymentConfig`."""
    kept = config.get("annotations") or {}
    canary = config.get("canary") or {}
    versions = canary.get("versions") or {}
    return {
        "name": config["name"],
        "description": config.get("description") or "",
        "labels": [
            {"key": key, "value": value} for key, value in (config.get("labels") or {}).items()
        ],
        "access_authorization": bool(config.get("access_authorization")),
        "dev": bool(config.get("dev")),
        "distributed": bool(kept.get("distributed")),
        "weight": kept.get("weight"),
        **_wire_version(config),
        "canary": {
            "route_type": canary.get("route_type") or "random",
            "route_by": canary.get("route_by") or None,
            "versions": {
                name: {**_wire_version(version), "weight": version.get("weight") or 0}
                for name, version in versions.items()
            },
        }
        if versions
        else None,
    }


def _wire_version(version: Mapping[str, Any]) -> Wire:
    kept = version.get("annotations") or {}
    of_services = kept.get("services") or {}
    return {
        "bento": tag_of(version),
        "envs": _wire_envs(version, kept),
        "secrets": list(version.get("secrets") or ()),
        "services": {
            name: _wire_service(service, of_services.get(name) or {})
            for name, service in (version.get("services") or {}).items()
        },
    }


def _wire_envs(holder: Mapping[str, Any], kept: Mapping[str, Any]) -> list[Wire]:
    stages = kept.get("stages") or {}
    return [
        {"name": name, "value": value, "stage": stages.get(name, "")}
        for name, value in (holder.get("envs") or {}).items()
    ]


def _wire_service(service: Mapping[str, Any], kept: Mapping[str, Any]) -> Wire:
    wait = service.get("cold_start_timeout")
    wait = int(wait) if isinstance(wait, float) and wait.is_integer() else wait
    traffic = service.get("traffic") or (service.get("config_overrides") or {}).get("traffic")
    overrides = {} if traffic is None else {"traffic": traffic}
    return {
        "instance_type": service.get("instance_type"),
        "scaling": _wire_scaling(service, kept),
        "envs": _wire_envs(service, kept),
        "deployment_strategy": service.get("deployment_strategy"),
        "cold_start_timeout": wait,
        "coldstart_timeout": wait,
        "config_overrides": {**(kept.get("config_overrides") or {}), **overrides},
        **{key: kept.get(key) for key in _KEPT},
    }


def _wire_scaling(service: Mapping[str, Any], kept: Mapping[str, Any]) -> Wire | None:
    replicas, scaling = service.get("replicas"), service.get("scaling")
    if replicas is not None:
        scaling = {"min_replicas": replicas, "max_replicas": max(replicas, 1)}
    if scaling is None:
        return None
    policy = scaling.get("policy")
    if policy is not None:
        metrics = [
            {"type": each["type"], "value": quantity(each["type"], each["value"])}
            for each in policy.get("metrics") or ()
        ]
        strategy = {"scaling_strategy": kept.get("scaling_strategy")}
        policy = {"metrics": metrics, **{key: policy.get(key) for key in _OF_POLICY}, **strategy}
    return {
        "min_replicas": scaling["min_replicas"],
        "max_replicas": scaling["max_replicas"],
        "policy": policy,
    }


def quantity(kind: str, value: float) -> str:
    """A number as quantities are written: bytes in the largest unit that divides them."""
    if not float(value).is_integer():
        return repr(float(value))
    number = int(value)
    if kind == "memory":
        for power, unit in ((4, "Ti"), (3, "Gi"), (2, "Mi"), (1, "Ki")):
            if number and number % 2 ** (10 * power) == 0:
                return f"{number // 2 ** (10 * power)}{unit}"
    return str(number)


def merged(kept: Wire, given: Mapping[str, Any]) -> Wire:
    """`kept` with what was sent: what is absent stays, what is null is cleared.

    Labels that are null stay. Variables, secrets, services and canaries are sent as a whole, but
    what their clients do not know of them (stages, ...) stays while it is absent.
    """
    found = {**kept, **_version_merged(kept, given)}
    for key in ("description", "access_authorization", "dev", "distributed", "weight"):
        if key in given:
            found[key] = given[key]
    if given.get("labels") is not None:
        found["labels"] = given["labels"]
    if "canary" in given:
        found["canary"] = _canary_merged(kept.get("canary") or {}, given["canary"])
    return found


def _canary_merged(kept: Mapping[str, Any], given: Mapping[str, Any] | None) -> Wire | None:
    if given is None:
        return None
    before = kept.get("versions") or {}
    versions = {}
    for name, version in (given.get("versions") or {}).items():
        old = before.get(name) or {}
        weight = version.get("weight") if "weight" in version else old.get("weight")
        versions[name] = {**_version_merged(old, version), "weight": weight}
    if "versions" not in given:
        versions = dict(before)
    routing = {
        key: given[key] if key in given else kept.get(key) for key in ("route_type", "route_by")
    }
    return {**routing, "versions": versions}


def _version_merged(kept: Mapping[str, Any], given: Mapping[str, Any]) -> Wire:
    found = {key: kept.get(key) for key in ("bento", "envs", "secrets", "services")}
    for key in ("bento", "secrets"):
        if key in given:
            found[key] = given[key]
    if "envs" in given:
        found["envs"] = _envs_merged(kept.get("envs"), given["envs"])
    if "services" in given:
        before = kept.get("services") or {}
        found["services"] = {
            name: _service_merged(before.get(name) or {}, service)
            for name, service in (given["services"] or {}).items()
        }
    return found


def _envs_merged(
    kept: Iterable[Mapping[str, Any]] | None, given: Iterable[Mapping[str, Any]] | None
) -> list[Wire]:
    stages = {each["name"]: each.get("stage") for each in kept or ()}
    return [{"stage": stages.get(each["name"]), **each} for each in given or ()]


def _service_merged(kept: Mapping[str, Any], given: Mapping[str, Any]) -> Wire:
    found = {**kept, **given}
    if "envs" in given:
        found["envs"] = _envs_merged(kept.get("envs"), given["envs"])
    names = ("cold_start_timeout", "coldstart_timeout")
    told = [given[name] for name in names if given.get(name) is not None]
    if any(name in given for name in names):
        found |= dict.fromkeys(names, told[0] if told else None)
    if len(set(told)) > 1:
        raise InvalidArgument("cold_start_timeout and coldstart_timeout are two names of one thing")
    policy, before = _policy(given), _policy(kept)
    if policy is not None and before is not None and "scaling_strategy" not in policy:
        strategy = {"scaling_strategy": before.get("scaling_strategy")}
        found["scaling"] = {**found["scaling"], "policy": {**policy, **strategy}}
    return found


def _policy(service: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return (service.get("scaling") or {}).get("policy")


def config_of(wire: Wire, base: DeploymentConfig | None = None) -> DeploymentConfig:
    """The settings that a deployment on the wire means; `base` has those that it cannot hold.

    Raises ConfigError (as `parse` does) naming the key by its path on the wire.
    """
    kept = base.model_dump(mode="json") if base is not None else {}
    canary = wire.get("canary") or {}
    before = kept.get("canary") or {}
    versions = {}
    for name, version in (canary.get("versions") or {}).items():
        old = (before.get("versions") or {}).get(name) or {}
        weight = version.get("weight") or 0
        bento = version.get("bento") or wire.get("bento")
        told = {**version, "bento": bento}
        versions[name] = {**old, **_settings(told, old), "weight": weight}
    progression = before.get("progression") if versions == before.get("versions") else None
    document = {
        **kept,
        **_settings(wire, kept),
        "name": wire["name"],
        "description": wire.get("description") or "",
        "labels": {each["key"]: each.get("value") or "" for each in wire.get("labels") or ()},
        "access_authorization": bool(wire.get("access_authorization")),
        "dev": bool(wire.get("dev")),
        "canary": {
            **before,
            "route_type": canary.get("route_type") or "random",
            "route_by": canary.get("route_by") or "",
            "versions": versions,
            "progression": progression,
        },
    }
    of_deployment = {"distributed": wire.get("distributed") or None, "weight": wire.get("weight")}
    document["annotations"] = _without_nothing(document["annotations"] | of_deployment)
    return parse(DeploymentConfig, document, what=f"deployment {wire['name']}")


def _settings(wire: Wire, kept: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of one version. Those of `kept` stay that the wire does not have."""
    before = kept.get("services") or {}
    was = _wire_version(kept)["services"] if kept else {}
    services, annotations = {}, {}
    for name, service in (wire.get("services") or {}).items():
        old = before.get(name) or {}
        is_same = name in was and was[name] == {**was[name], **service}
        services[name] = old if is_same else {**old, **_service(service, old)}
        annotations[name] = _annotations(service)
    same = bool(kept) and tag_of(kept) == wire.get("bento")
    release = {} if same else {"target": "", "release": wire.get("bento") or ""}
    before_that = kept.get("annotations") or {}
    of_release = {key: before_that.get(key) for key in (BENTO, CODE)} if same else {}
    stages = {"stages": _stages(wire), "services": _without_nothing(annotations)}
    return {
        **release,
        "envs": _envs(wire),
        "secrets": list(dict.fromkeys(wire.get("secrets") or ())),
        "services": services,
        "annotations": _without_nothing({**of_release, **stages}),
    }


def _service(wire: Wire, kept: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "instance_type": wire.get("instance_type") or None,
        "deployment_strategy": wire.get("deployment_strategy") or None,
        "envs": _envs(wire),
        "cold_start_timeout": wire.get("cold_start_timeout"),
        "traffic": None,
        "config_overrides": {"traffic": (wire.get("config_overrides") or {}).get("traffic")},
        "scaling": _scaling(wire.get("scaling"), kept.get("scaling") or {}),
        "replicas": None,
    }
    if found["instance_type"] is not None:
        found["resources"] = None
    return found


def _scaling(wire: Wire | None, kept: Mapping[str, Any]) -> dict[str, Any] | None:
    if wire is None:
        return None
    least, most, policy = (wire.get(key) for key in ("min_replicas", "max_replicas", "policy"))
    if least is None:
        least = 1 if most is None else min(1, most)
    if policy is not None:
        of_policy = {key: policy.get(key) for key in _OF_POLICY}
        policy = {"metrics": policy.get("metrics") or [], **of_policy}
    idle = {"scale_to_zero_after": kept.get("scale_to_zero_after")}
    return {"min_replicas": least, "max_replicas": most, "policy": policy, **idle}


def _envs(wire: Wire) -> dict[str, str]:
    return {each["name"]: each.get("value") or "" for each in wire.get("envs") or ()}


def _stages(wire: Wire) -> dict[str, str]:
    envs = wire.get("envs") or ()
    return {each["name"]: each["stage"] for each in envs if each.get("stage")}


def _annotations(wire: Wire) -> dict[str, Any]:
    overrides = dict(wire.get("config_overrides") or {})
    overrides.pop("traffic", None)
    policy = _policy(wire) or {}
    return _without_nothing(
        {
            "stages": _stages(wire),
            "config_overrides": overrides,
            "scaling_strategy": policy.get("scaling_strategy"),
            **{key: wire.get(key) for key in _KEPT},
        }
    )


def _without_nothing(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in values.items() if each is not None and each != {}}
