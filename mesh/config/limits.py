"""What an organization may have at most, in the form of the cloud API."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mesh.config.quantity import Bytes, Cores

Count = Annotated[int, Field(ge=0, lt=2**63)]
Storage = Annotated[Bytes, Field(ge=0)]


def _nothing(value: object) -> object:
    """What clients send for a limit that is not set."""
    return None if value == "" else value


class Loose(BaseModel):
    """Keys that mean nothing here are let be: clients send all that they know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class DeploymentRules(Loose):
    """The values that settings of deployments may have; none given: any."""

    access_authorization: tuple[bool, ...] | None = None
    deployment_strategy: tuple[str, ...] | None = None


class TypeRule(Loose):
    """Whether an instance type may be used."""

    name: str
    active: bool = True


class Limits(Loose):
    """Limits of an organization; None: none.

    Counts are of all that it has. `bento_size` and `model_size` are bytes of one archive.
    `resource_*` are what all of its deployments that run may reserve with all their replicas:
    cores, bytes, devices. With `must_scale_to_zero` every service has no replica without
    requests; where `allow_custom_resource` is false every service names an instance type, which
    is an active one of `resource_instance_list` and one of `filter_down_resource_instance_names`
    unless these are empty.
    """

    deployment_count: Count | None = None
    bento_count: Count | None = None
    model_count: Count | None = None
    member_count: Count | None = None
    bento_size: Annotated[Storage | None, BeforeValidator(_nothing)] = None
    model_size: Annotated[Storage | None, BeforeValidator(_nothing)] = None
    resource_cpu_limit: Annotated[Cores | None, BeforeValidator(_nothing)] = None
    resource_memory_limit: Annotated[Storage | None, BeforeValidator(_nothing)] = None
    resource_gpu_limit: Annotated[Cores | None, BeforeValidator(_nothing)] = None
    must_scale_to_zero: bool | None = None
    allow_custom_resource: bool | None = None
    allow_deployment_config: DeploymentRules | None = None
    resource_instance_list: tuple[TypeRule, ...] | None = None
    filter_down_resource_instance_names: tuple[str, ...] | None = None
