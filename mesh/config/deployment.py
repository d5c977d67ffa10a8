"""What users configure of a deployment: versions, numbers, rollouts, canaries."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mesh.config.names import Name, NameOrNone
from mesh.config.parsed import Settings
from mesh.config.scaling import Scaling

MAIN = "main"
"""Name of the version that is the deployment itself."""

Percent = Annotated[int, Field(ge=0, le=100)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]

Strategy = Literal["RollingUpdate", "Recreate", "RampedSlowRollout", "BestEffortControlledRollout"]
"""How new replicas take the place of old ones.

`RollingUpdate`: a quarter at a time, old and new together; up to a quarter more than are wanted
run meanwhile. `Recreate`: all old ones stop, then the new ones start. `RampedSlowRollout`: one new
one, then one old one less, never fewer than are wanted. `BestEffortControlledRollout`: a fifth
stops at a time to make room for new ones, so never more than are wanted run.
"""


class ConfigOverrides(Settings):
    """What a deployment changes of a service's own settings, in the form of the cloud API."""

    traffic: dict[str, Any] | None = None


class ServiceOverrides(Settings):
    """What a deployment changes of one service; None keeps the decorator's value.

    `replicas` is a fixed number, `scaling` gives it bounds. `instance_type` names a set of
    resources, `resources` has them one by one. A request to a service without replicas waits up
    to `cold_start_timeout` seconds for the first.
    """

    replicas: Annotated[int, Field(ge=0)] | None = None
    scaling: Scaling | None = None
    instance_type: str | None = None
    resources: dict[str, Any] | None = None
    deployment_strategy: Strategy | None = None
    cold_start_timeout: Seconds | None = None
    traffic: dict[str, Any] | None = None
    fetch: dict[str, Any] | None = None
    threads: Annotated[int, Field(gt=0)] | None = None
    envs: dict[str, str] = {}
    config_overrides: ConfigOverrides = ConfigOverrides()

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        for one, other in (("replicas", "scaling"), ("instance_type", "resources")):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise ValueError(f"{one} and {other} exclude each other")
        if self.traffic is not None and self.config_overrides.traffic is not None:
            raise ValueError("traffic and config_overrides.traffic exclude each other")
        return self


class VersionConfig(Settings):
    """One version of a deployment: which graph it runs and how much of it.

    `target` is `pkg.mod:Service`; `release`, instead of it, is `name:version` of a release that was
    pushed. `secrets` are names of secrets that its replicas get. `replicas` and `scaling` hold for
    every service that `services` does not name. `placement` says how replicas of the graph lie on
    nodes: `pack` on as few as possible, `spread` on as many, `strict_spread` never two of one
    service on one node. `annotations` are kept for whoever wrote them;
    of them only stages mean something to the mesh (see `stages`).
    """

    target: str = ""
    release: str = ""
    secrets: tuple[str, ...] = ()
    replicas: Annotated[int, Field(gt=0)] | None = None
    scaling: Scaling | None = None
    placement: Literal["pack", "spread", "strict_spread"] | None = None
    services: dict[str, ServiceOverrides] = {}
    envs: dict[str, str] = {}
    annotations: dict[str, Any] = {}

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        if bool(self.target) == bool(self.release):
            raise ValueError("say target or release, and not both")
        if self.replicas is not None and self.scaling is not None:
            raise ValueError("replicas and scaling exclude each other")
        return self


OF_DEPLOYMENT = ("distributed", "weight")
"""Annotations of a deployment as a whole, beside those of what is `main` in it."""


class CanaryVersion(VersionConfig):
    """A version beside `main`; `weight` is its percentage of the deployment's requests.

    Where it says nothing of `envs`, `secrets` or one of its `services`, it has what main has.
    """

    weight: Percent = 0


class Progression(Settings):
    """How a canary gets its weight by itself, and what takes it away.

    `version` is the canary that is meant (empty: the only one). It holds the weight of each of
    `steps` for `wait` seconds and until it has had `min_requests` requests at that weight, then
    goes on to the next; after a last step of 100 it becomes `main`. It goes back to 0 if it is
    worse than main: if its rate of errors exceeds main's by more than `max_error_increase`
    (a difference of rates), if the rate itself exceeds `max_error_rate`, or if its 99th percentile
    of latency exceeds main's times `max_latency_ratio`. None leaves a condition out. Both
    comparisons with main are sequential tests; `risk` is the probability at most, of both over all
    steps, that they take a canary back that is not worse. The limit of the rate is no test: it
    holds from `min_requests` requests at a weight on.
    """

    version: NameOrNone = ""
    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(min_length=1)] = (
        5,
        25,
        50,
        100,
    )
    wait: Seconds = 60.0
    min_requests: Annotated[int, Field(ge=0)] = 50
    max_error_increase: Annotated[float, Field(ge=0, lt=1)] | None = 0.01
    risk: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    max_error_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    max_latency_ratio: Annotated[float, Field(gt=0)] | None = 2.0

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if list(self.steps) != sorted(set(self.steps)):
            raise ValueError("steps: each must be greater than the one before")
        return self


class Canary(Settings):
    """Versions beside `main` and the rule that divides requests among them.

    `header` and `query` keep requests together whose header field or query parameter `route_by`
    has one value. Requests for a version without a ready replica go to the others, or fail if
    `without_replicas` is `fail`.
    """

    route_type: Literal["random", "header", "query"] = "random"
    route_by: str = ""
    versions: dict[Name, CanaryVersion] = {}
    progression: Progression | None = None
    without_replicas: Literal["spill", "fail"] = "spill"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.route_type == "random") == bool(self.route_by):
            raise ValueError("route_by goes with route_type header or query, and only with them")
        if MAIN in self.versions:
            raise ValueError("versions: 'main' is the deployment itself, name canaries otherwise")
        total = sum(version.weight for version in self.versions.values())
        if total > 100:
            raise ValueError(f"versions: weights add up to {total}, more than 100")
        if self.progression is not None:
            self._check_progression(self.progression.version)
        return self

    def _check_progression(self, version: str) -> None:
        if version and version not in self.versions:
            raise ValueError(f"progression.version: there is no canary {version!r}")
        if not version and len(self.versions) != 1:
            raise ValueError("progression.version: say which canary is meant")


class DeploymentConfig(VersionConfig):
    """A deployment: `main` in its own fields, canaries beside it.

    `deployment_strategy` holds for services that have none of their own, canaries included. A
    rollout that has no ready replica after `progress_deadline` seconds counts as failed. With
    `access_authorization` callers have to show a token that may call it. `dev` marks a codespace.
    """

    name: Name
    description: str = ""
    labels: dict[str, str] = {}
    deployment_strategy: Strategy = "RollingUpdate"
    progress_deadline: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 600.0
    access_authorization: bool = False
    dev: bool = False
    canary: Canary = Canary()

    @property
    def names_release(self) -> bool:
        """Whether some version of it is of a release that was pushed."""
        return bool(self.release) or any(each.release for each in self.canary.versions.values())
