"""What a release could be deployed with, and the form of a deployment."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.config import Resources, parse
from mesh.control.instance_types import InstanceType, known_types
from mesh.errors import ConfigError
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.parameters import Flag, Text
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.wire.deployments import SentDeployment

ITEM = "/api/v1/bento_repositories/{repository}/bentos/{version}/recommendation_configs"


def sizing(backing: Backing) -> APIRouter:
    """The routes of sizes and forms."""
    router = APIRouter(tags=["deployments"])

    @router.get(ITEM)
    async def recommended(
        repository: str,
        version: str,
        asker: Asker = may(Verb.READ, Area.RELEASES),
        cluster: Text = "",
        distributed: Flag = None,
    ) -> dict[str, Any]:
        """The smallest instance type that has what each service asks for."""
        del cluster, distributed  # there is one cluster, and one way to run a release
        tag = f"{repository}:{version}"
        release = await backing.ready_deploying.releases.release(tag, asker.organization)
        return recommendation(release.manifest, await known_types(backing.catalogue))

    @router.get("/api/v1/deployment_creation_json_schema")
    async def form(asker: Asker = may(Verb.READ, Area.DEPLOYMENTS)) -> dict[str, Any]:
        """The JSON schema of a deployment."""
        del asker  # is let in
        return SentDeployment.model_json_schema()

    return router


def recommendation(manifest: Mapping[str, Any], types: tuple[InstanceType, ...]) -> dict[str, Any]:
    """What a release with this manifest could run on. Pure."""
    listed = manifest.get("services")
    services = {
        str(each.get("name")): _service(each.get("config"), types)
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, Mapping)
    }
    entry = services.get(str(manifest.get("entry_service"))) or _service(None, types)
    envs = [
        {
            "name": str(each.get("name")),
            "value": str(each.get("value") or ""),
            "stage": str(each.get("stage") or ""),
        }
        for each in manifest.get("envs") or ()
        if isinstance(each, Mapping)
    ]
    return {**entry, "services": services, "envs": envs, "runners": []}


def _service(config: object, types: tuple[InstanceType, ...]) -> dict[str, Any]:
    told = config if isinstance(config, Mapping) else {}
    wanted = _resources(told.get("resources"))
    lacks = {each.name: missing(wanted, each.resources) for each in types}
    enough = [each for each in types if not lacks[each.name]]
    best = min(enough, key=_size).name if enough else ""
    traffic = told.get("traffic")
    return {
        "instance_type": best,
        "instance_types": [
            {
                "name": each.name,
                "display_name": each.name,
                "active": True,
                "recommend": each.name == best,
                "insufficient_resources": lacks[each.name],
            }
            for each in types
        ],
        "traffic": _traffic(traffic if isinstance(traffic, Mapping) else {}),
    }


def missing(wanted: Resources, has: Resources) -> list[str]:
    """Which resources are too few. Pure."""
    found = [key for key in ("cpu", "memory", "gpu") if getattr(wanted, key) > getattr(has, key)]
    if wanted.gpu_type and wanted.gpu_type != has.gpu_type and "gpu" not in found:
        found.append("gpu")
    return found


def _size(kind: InstanceType) -> tuple[float, float, float]:
    return (kind.resources.gpu, kind.resources.cpu, kind.resources.memory)


def _resources(told: object) -> Resources:
    known = told if isinstance(told, Mapping) else {}
    keys = ("cpu", "memory", "gpu", "gpu_type")
    given = {key: known[key] for key in keys if known.get(key) is not None}
    try:
        return parse(Resources, given, what="resources")
    except ConfigError:  # it is advice, and its manifest somebody else's
        return Resources()


def _traffic(told: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {
        key: int(told[key])
        for key in ("timeout", "concurrency")
        if isinstance(told.get(key), int | float)
    }
    return {**numbers, "request_queue": {"enabled": bool(told.get("external_queue"))}}
