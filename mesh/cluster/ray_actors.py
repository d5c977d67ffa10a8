"""The actors of the mesh: their names, and how those of replicas and standbys are made."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ray
from ray.actor import ActorHandle

from mesh.cluster.ray_replica import RayReplica
from mesh.cluster.ray_standby import RayStandby
from mesh.launch import NO_SECRETS, Launch
from mesh.nodes.prepare import Prepared
from mesh.nodes.settings import NodeSettings

NAMESPACE = "mesh"
"""Ray namespace of all actors of the mesh."""
PREFIX = "mesh:"
"""What the names of these actors begin with."""
CONTROLLER = f"{PREFIX}controller"
"""Name of the controller's actor."""
HOST = "mesh.replica.host:ReplicaHost"
"""What a replica's actor hosts."""
THREADS = 8
"""Methods of a replica's actor that run at once: none of them waits for user code of another."""


def create(
    launch: Launch,
    host: str,
    bind_host: str,
    options: Mapping[str, Any],
    prepared: Prepared | None = None,
    nodes: NodeSettings | None = None,
) -> "ActorHandle[RayReplica]":
    """Creates the actor of a replica; Ray places it when it can. Blocks for a round trip.

    `options` are Ray's, about where it goes; `prepared` is its release as that node has it ready.
    """
    all_options: dict[str, Any] = {
        "name": PREFIX + launch.replica_id,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "max_concurrency": THREADS,
        "max_restarts": 0,  # the controller replaces what died
        **resource_options(launch),
        **options,
    }
    runtime_env: dict[str, Any] = {}
    if launch.envs:
        runtime_env["env_vars"] = dict(launch.envs)
    if prepared is not None and prepared.python:
        runtime_env["py_executable"] = shlex.quote(prepared.python)
    if runtime_env:
        all_options["runtime_env"] = runtime_env
    launch = without_secrets(launch)
    actor = ray.remote(RayReplica).options(**all_options)
    return actor.remote(launch, host, bind_host, prepared, nodes)


def without_secrets(launch: Launch) -> Launch:
    """What Ray is told: it keeps that as long as the actor is there, and secrets come later."""
    return replace(launch, secrets=NO_SECRETS, build=NO_SECRETS)


def create_standby(
    standby: Launch, host: str, options: Mapping[str, Any]
) -> "ActorHandle[RayStandby]":
    """Creates the actor of a standby (see `create`)."""
    all_options = {
        "name": PREFIX + standby.replica_id,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "max_concurrency": THREADS,
        "max_restarts": 0,  # another one follows
        **resource_options(standby),
        **options,
    }
    return ray.remote(RayStandby).options(**all_options).remote(standby, host)


def resource_options(launch: Launch) -> dict[str, Any]:
    """Ray's options about what a replica reserves."""
    options = {
        "num_cpus": launch.cpu,
        "num_gpus": launch.gpu,
        "resources": dict(launch.custom),
    }
    return options | ({"memory": launch.memory} if launch.memory else {})
