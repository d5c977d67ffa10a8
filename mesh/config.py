"""What users configure: a service in its decorator, a deployment in a file.

Plain values, checked when they are made; an unknown key is an error that names it. Nothing here
reads the environment.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from mesh.errors import ConfigError

_SUFFIXES = {
    "": 1,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")


def _cpu(value: object) -> object:
    """Cores from a number or a Kubernetes quantity (`"500m"` is 0.5)."""
    if isinstance(value, str) and (match := _QUANTITY.fullmatch(value)):
        number, suffix = match.groups()
        if suffix in (None, "m"):
            return float(number) / (1000 if suffix else 1)
    return value


def _memory(value: object) -> object:
    """Bytes from a Kubernetes quantity (`"2Gi"`) or a number of bytes."""
    if isinstance(value, str) and (match := _QUANTITY.fullmatch(value)):
        number, suffix = match.groups()
        if suffix != "m":
            return int(float(number) * _SUFFIXES[suffix or ""])
    return value


def _network(block: str) -> str:
    """A CIDR block as it was, if it is one."""
    ip_network(block)  # its ValueError says what is wrong
    return block


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Resources(_Config):
    """What one replica reserves on its node.

    `cpu` in cores (0.5, `"500m"`), `memory` in bytes (`"2Gi"`), `gpu` in devices (a fraction
    below 1 shares one). Nothing given reserves nothing.
    """

    cpu: Annotated[float, BeforeValidator(_cpu), Field(ge=0)] = 0.0
    memory: Annotated[int, BeforeValidator(_memory), Field(ge=0)] = 0
    gpu: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _whole_or_shared(self) -> Self:
        if self.gpu > 1 and self.gpu != int(self.gpu):
            raise ValueError("gpu must be below 1 (a shared device) or a whole number")
        return self


class Traffic(_Config):
    """How a service takes calls.

    `timeout` in seconds per call (None: no limit); `max_concurrency` calls at once in one
    replica, more are refused with 429 (None: no limit); `concurrency` the number that scaling
    aims at; `max_request_bytes` the largest request body.
    """

    timeout: Annotated[float, Field(gt=0)] | None = 60.0
    max_concurrency: Annotated[int, Field(gt=0)] | None = None
    concurrency: Annotated[int, Field(gt=0)] | None = None
    max_request_bytes: Annotated[int, BeforeValidator(_memory), Field(gt=0)] | None = None


class Fetch(_Config):
    """What a service downloads where a caller gives a file as an http(s) URL.

    `max_bytes` of content, `timeout` in seconds in total, at most `redirects`. `networks` are
    CIDR blocks (`"10.0.0.0/8"`) that may be reached although they are not public.
    """

    max_bytes: Annotated[int, BeforeValidator(_memory), Field(gt=0)] = 100 * 2**20
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    redirects: Annotated[int, Field(ge=0)] = 5
    networks: tuple[Annotated[str, AfterValidator(_network)], ...] = ()


class ServiceConfig(_Config):
    """Everything the service decorator takes besides the name.

    `threads` bounds the sync methods that run at once in one replica; `replicas` is how many are
    started where the deployment does not say.
    """

    resources: Resources = Resources()
    traffic: Traffic = Traffic()
    fetch: Fetch = Fetch()
    threads: Annotated[int, Field(gt=0)] = 1
    replicas: Annotated[int, Field(gt=0)] = 1
    envs: dict[str, str] = {}


class ServiceOverrides(_Config):
    """What a deployment changes of one service; None keeps the decorator's value."""

    replicas: Annotated[int, Field(ge=0)] | None = None
    resources: Resources | None = None
    traffic: dict[str, Any] | None = None
    fetch: dict[str, Any] | None = None
    threads: Annotated[int, Field(gt=0)] | None = None
    envs: dict[str, str] = {}


Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
"""Names of deployments, versions and endpoints: a DNS label."""


class VersionConfig(_Config):
    """One version of a deployment: which graph it runs and how much of it.

    `target` is `pkg.mod:Service`; `replicas` holds for every service that `services` does not
    name.
    """

    target: str
    replicas: Annotated[int, Field(gt=0)] | None = None
    services: dict[str, ServiceOverrides] = {}
    envs: dict[str, str] = {}


class CanaryVersion(VersionConfig):
    """A version beside `main`; `weight` is its percentage of the deployment's requests."""

    weight: Annotated[int, Field(ge=0, le=100)] = 0


class Canary(_Config):
    """Versions beside `main` and the rule that divides requests among them.

    `header` and `query` keep requests together whose header field or query parameter `route_by`
    has one value.
    """

    route_type: Literal["random", "header", "query"] = "random"
    route_by: str = ""
    versions: dict[Name, CanaryVersion] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.route_type == "random") == bool(self.route_by):
            raise ValueError("route_by goes with route_type header or query, and only with them")
        if "main" in self.versions:
            raise ValueError("versions: 'main' is the deployment itself, name canaries otherwise")
        total = sum(version.weight for version in self.versions.values())
        if total > 100:
            raise ValueError(f"versions: weights add up to {total}, more than 100")
        return self


class DeploymentConfig(VersionConfig):
    """A deployment: `main` in its own fields, canaries beside it."""

    name: Name
    canary: Canary = Canary()


class EndpointConfig(_Config):
    """A public name over deployments, with the weight of each."""

    deployments: Annotated[dict[Name, Annotated[int, Field(ge=0)]], Field(min_length=1)]


class MeshConfig(_Config):
    """A whole deployment file: deployments, and endpoints over them.

    Every deployment that no endpoint names has an endpoint of its own name. The default endpoint
    is the first.
    """

    deployments: Annotated[list[DeploymentConfig], Field(min_length=1)]
    endpoints: dict[Name, EndpointConfig] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [deployment.name for deployment in self.deployments]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"deployments: {name!r} is there twice")
        for name, endpoint in self.endpoints.items():
            for unknown in endpoint.deployments.keys() - set(names):
                raise ValueError(f"endpoints.{name}: there is no deployment {unknown!r}")
        return self


ConfigT = TypeVar("ConfigT", bound=BaseModel)


def parse(model: type[ConfigT], value: object, *, what: str) -> ConfigT:
    """Makes a `model` of plain values.

    Raises ConfigError with one line that begins with `what` and names each wrong key.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = (
            f"{_key(fault['loc'])}{_sentence(fault['type'], fault['msg'])}"
            for fault in error.errors(include_url=False, include_context=False)
        )
        raise ConfigError(f"{what}: {'; '.join(faults)}") from None


def _key(location: Iterable[str | int]) -> str:
    key = ".".join(str(part) for part in location if part != "[key]")
    return f"{key}: " if key else ""


def _sentence(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such setting"
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
