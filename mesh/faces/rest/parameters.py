"""Parameters and small bodies of the control API."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from mesh.access.principal import Area, Verb
from mesh.config import Name, NameOrNone
from mesh.config.deployment import Percent
from mesh.faces.cloud.permission import may

Start = Annotated[int, Query(ge=0, description="Place of the first one.")]
Count = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]


def changes(resource_type: str, operation: str) -> Any:
    """A dependency of what changes a deployment or an endpoint: who asks, if they may."""
    return may(Verb.WRITE, Area.DEPLOYMENTS, resource_type, operation)


class Body(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RollbackBody(Body):
    """Which revision a deployment goes back to; null: the last that ran before the current one."""

    revision: Annotated[int, Field(ge=1)] | None = None


class LabelsBody(Body):
    """All labels that it shall have."""

    labels: dict[str, str]


class WeightsBody(Body):
    """New percentages of canaries; those that are not named keep theirs."""

    weights: Annotated[dict[Name, Percent], Field(min_length=1)]


class PromoteBody(Body):
    """The canary that becomes `main`; empty: the only one."""

    version: NameOrNone = ""


class AbortBody(Body):
    """The canary that gets no more requests; empty: none of them does."""

    version: NameOrNone = ""
