"""The list of a mesh's endpoints, for those who look for a service: `/endpoints.json`."""

import json
from typing import Any

from mesh.traffic.snapshot import Deployment, Endpoint, Snapshot, Version


def endpoints(snapshot: Snapshot) -> bytes:
    """The list as JSON, endpoints in the order of their names.

    Of each its `name`, whether it `is_default`, and its `deployments` with their `weight`, in
    which `versions` have the name of their `entry` service, their `weight` and the number of its
    `replicas` that take calls; releases that take turns under one name are one. Weights are
    relative to their sum. `load_balance` says how requests
    are divided. `upstreams` outside the mesh have `url`, `weight` and `model`, never a key; they,
    `mirror`, `session` and the number of `rules` are there only if the endpoint has such.
    """
    found = [
        {
            "name": endpoint.name,
            "is_default": endpoint.name == snapshot.default_endpoint,
            "load_balance": endpoint.load_balance.value,
            "deployments": [
                {"weight": share.weight, **_deployment(snapshot.deployments[share.deployment])}
                for share in endpoint.deployments
                if share.deployment in snapshot.deployments
            ],
            **_more(endpoint),
        }
        for _, endpoint in sorted(snapshot.endpoints.items())
    ]
    return json.dumps({"endpoints": found}, separators=(",", ":")).encode()


def _more(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if endpoint.upstreams:
        found["upstreams"] = [
            {"url": each.url, "weight": each.weight, "model": each.model}
            for each in endpoint.upstreams
        ]
    if (mirror := endpoint.mirror) is not None:
        found["mirror"] = {"deployment": mirror.deployment, "percent": mirror.percent}
    if (session := endpoint.session) is not None:
        by = {"cookie": session.cookie, "ttl": session.ttl}
        found["session"] = {"header": session.header} if session.header else by
    if endpoint.rules:
        found["rules"] = len(endpoint.rules)
    return found


def _deployment(deployment: Deployment) -> dict[str, Any]:
    return {
        "name": deployment.name,
        "versions": [_version(name, found) for name, found in deployment.names.items()],
    }


def _version(name: str, releases: tuple[Version, ...]) -> dict[str, Any]:
    entries = [each.services.get(each.entry) for each in releases]
    return {
        "name": name,
        "entry": releases[0].entry,
        "weight": releases[0].weight,
        "replicas": sum(len(entry.replicas) for entry in entries if entry is not None),
    }
