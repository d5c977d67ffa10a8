"""Deployments as they are sent. Which keys are there matters: see `sent`."""

import json
from typing import Annotated, Any

from pydantic import Field

from mesh.errors import InvalidArgument
from mesh.faces.cloud.wire.base import Label, Sent

Count = Annotated[int, Field(ge=0, lt=2**31)]
Wait = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SentEnv(Sent):
    """A variable; `stage` is `build`, `runtime` or `all`."""

    name: Annotated[str, Field(pattern=r"^[^=\x00]+$")]
    value: str | None = None
    stage: str | None = None


class SentMetric(Sent):
    """A load to follow."""

    type: str
    value: float | str


class SentPolicy(Sent):
    """How the number of replicas follows the load."""

    metrics: tuple[SentMetric, ...] | None = None
    scale_up_behavior: str | None = None
    scale_down_behavior: str | None = None
    scale_up_stabilization_window: Count | None = None
    scale_down_stabilization_window: Count | None = None
    scaling_strategy: str | None = None


class SentScaling(Sent):
    """Bounds of the number of replicas."""

    min_replicas: Count | None = None
    max_replicas: Count | None = None
    policy: SentPolicy | None = None


class SentService(Sent):
    """What is set of one service. Both names of the cold start's limit are in use."""

    instance_type: str | None = None
    scaling: SentScaling | None = None
    envs: tuple[SentEnv, ...] | None = None
    deployment_strategy: str | None = None
    cold_start_timeout: Wait | None = None
    coldstart_timeout: Wait | None = None
    config_overrides: dict[str, Any] | None = None
    extras: dict[str, Any] | None = None
    enable_image_builder_colocation: bool | None = None


class SentVersion(Sent):
    """What a release runs with."""

    bento: str | None = None
    envs: tuple[SentEnv, ...] | None = None
    secrets: tuple[str, ...] | None = None
    services: dict[str, SentService] | None = None


class SentCanaryVersion(SentVersion):
    """A canary."""

    weight: int | None = None


class SentCanary(Sent):
    """Canaries, and what divides requests among them."""

    route_type: str | None = None
    route_by: str | None = None
    versions: dict[str, SentCanaryVersion] | None = None


class SentUpdate(SentVersion):
    """A deployment that is changed."""

    access_authorization: bool | None = None
    labels: tuple[Label, ...] | None = None
    canary: SentCanary | None = None
    description: str | None = None
    weight: Count | None = None


class SentDeployment(SentUpdate):
    """A deployment that is made."""

    name: str | None = None
    dev: bool | None = None
    distributed: bool | None = None


class SentLabels(Sent):
    """Labels that replace those which there are."""

    labels: tuple[Label, ...] | None = None


def sent(body: Sent) -> dict[str, Any]:
    """The keys that were sent, with their values.

    Raises InvalidArgument for what no JSON has (NaN, half a character).
    """
    values = body.model_dump(exclude_unset=True)
    try:
        plain: dict[str, Any] = json.loads(json.dumps(values, allow_nan=False))
        json.dumps(plain, ensure_ascii=False).encode()
    except ValueError:
        raise InvalidArgument("the body has numbers or characters that JSON does not") from None
    return plain
