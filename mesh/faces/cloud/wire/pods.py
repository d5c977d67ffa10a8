"""Replicas as the pods that clients of BentoCloud expect, and the envelopes of its WebSockets."""

from collections.abc import Mapping
from typing import Any

from mesh.control.observed import ObservedReplica, Phase
from mesh.control.records import CLUSTER
from mesh.faces.cloud.wire.base import Wire

ENTRY = "api-server"
"""The component that takes requests from outside; others are runners."""
RUNNER = "runner"
COMPONENT = "yatai.ai/bento-function-component-type"
DEPLOYMENT = "yatai.ai/bento-deployment"
SERVICE = "yatai.ai/bento-service"
VERSION = "yatai.ai/bento-version"

_PHASES = {
    Phase.STARTING: ("Pending", "Pending"),
    Phase.READY: ("Running", "Running"),
    Phase.DRAINING: ("Running", "Terminating"),
    Phase.DRAINED: ("Running", "Terminating"),
    Phase.FAILED: ("Failed", "Failed"),
    Phase.GONE: ("Succeeded", "Terminated"),
}


class PodState(Wire):
    """How a pod is, in words; `reason` is empty if nothing is wrong."""

    status: str
    reason: str = ""


class PodPhase(Wire):
    """How far the life of a pod is, as Kubernetes has it."""

    phase: str
    ready: bool
    reason: str = ""


class Pod(Wire):
    """A replica."""

    name: str
    namespace: str = CLUSTER
    labels: dict[str, str]
    status: PodPhase
    pod_status: PodState
    node_name: str = ""
    runner_name: str
    is_canary: bool = False


def pod(replica: ObservedReplica, entry: str, version: str = "") -> Pod:
    """A replica of a version whose entry service is `entry`."""
    phase, status = _PHASES[replica.phase]
    is_entry = replica.service == entry
    return Pod(
        name=replica.id,
        labels={
            COMPONENT: ENTRY if is_entry else RUNNER,
            DEPLOYMENT: replica.deployment,
            SERVICE: replica.service,
            VERSION: version,
        },
        status=PodPhase(phase=phase, ready=replica.phase is Phase.READY, reason=replica.reason),
        pod_status=PodState(status=status, reason=replica.reason),
        node_name=replica.node,
        runner_name=replica.service,
        is_canary=version not in ("", "main"),
    )


def success(payload: Any, message: str = "") -> Mapping[str, Any]:
    """An envelope with what was asked for."""
    return {"type": "success", "message": message, "payload": payload}


def failure(message: str) -> Mapping[str, Any]:
    """An envelope that says what is wrong."""
    return {"type": "error", "message": message, "payload": None}


def selected(pods: tuple[Pod, ...], selector: str) -> tuple[Pod, ...]:
    """The pods with all labels of a selector, `key=value,key=value`."""
    wanted = [each.partition("=") for each in selector.split(",") if each]
    return tuple(
        each for each in pods if all(each.labels.get(key) == value for key, _, value in wanted)
    )
