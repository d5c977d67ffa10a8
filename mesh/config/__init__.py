"""What users configure: a service in its decorator, a deployment and its endpoints in a file."""

from mesh.config.deployment import (
    MAIN as MAIN,
    Canary as Canary,
    CanaryVersion as CanaryVersion,
    DeploymentConfig as DeploymentConfig,
    Progression as Progression,
    ServiceOverrides as ServiceOverrides,
    Strategy as Strategy,
    VersionConfig as VersionConfig,
)
from mesh.config.endpoint import EndpointConfig as EndpointConfig, Upstream as Upstream
from mesh.config.file import MeshConfig as MeshConfig
from mesh.config.mirroring import MIRRORED as MIRRORED, mirrored as mirrored
from mesh.config.names import Name as Name, NameOrNone as NameOrNone
from mesh.config.parsed import parse as parse
from mesh.config.scaling import Metric as Metric, Policy as Policy, Scaling as Scaling
from mesh.config.service import (
    Fetch as Fetch,
    Resources as Resources,
    ServiceConfig as ServiceConfig,
    Traffic as Traffic,
)
