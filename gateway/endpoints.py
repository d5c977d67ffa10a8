"""The list of a mesh's endpoints, for those who look for a service: `/endpoints.json`."""

import json
from typing import Any

from mesh.traffic.snapshot import Deployment, Snapshot, Version


def endpoints(snapshot: Snapshot) -> bytes:
    """The list as JSON, endpoints in the order of their names.

    Of each its `name`, whether it `is_default`, and its `deployments` with their `weight`, in
    which `versions` have the name of their `entry` service, their `weight` and the number of its
    `replicas` that take calls. Weights are relative to their sum.
    """
    found = [
        {
            "name": endpoint.name,
            "is_default": endpoint.name == snapshot.default_endpoint,
            "deployments": [
                {"weight": share.weight, **_deployment(snapshot.deployments[share.deployment])}
                for share in endpoint.deployments
                if share.deployment in snapshot.deployments
            ],
        }
        for _, endpoint in sorted(snapshot.endpoints.items())
    ]
    return json.dumps({"endpoints": found}, separators=(",", ":")).encode()


def _deployment(deployment: Deployment) -> dict[str, Any]:
    return {
        "name": deployment.name,
        "versions": [_version(version) for version in deployment.versions],
    }


def _version(version: Version) -> dict[str, Any]:
    entry = version.services.get(version.entry)
    return {
        "name": version.name,
        "entry": version.entry,
        "weight": version.weight,
        "replicas": len(entry.replicas) if entry is not None else 0,
    }
