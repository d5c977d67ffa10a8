"""A whole deployment file."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from mesh.config.deployment import DeploymentConfig
from mesh.config.endpoint import EndpointConfig
from mesh.config.names import Name, TypeName
from mesh.config.parsed import Settings
from mesh.config.service import Resources


class MeshConfig(Settings):
    """Deployments, endpoints over them, and instance types besides the default ones.

    Every deployment has an endpoint of its own name too, unless another endpoint has it. The
    default endpoint is the one that says so, else the oldest; of those made at once the first.
    """

    deployments: Annotated[list[DeploymentConfig], Field(min_length=1)]
    endpoints: dict[Name, EndpointConfig] = {}
    instance_types: dict[TypeName, Resources] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [deployment.name for deployment in self.deployments]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"deployments: {name!r} is there twice")
        for name, endpoint in self.endpoints.items():
            for unknown in sorted(endpoint.named_deployments() - set(names)):
                raise ValueError(f"endpoints.{name}: there is no deployment {unknown!r}")
        return self
