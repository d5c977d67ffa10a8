"""How many replicas a service has: settings of its autoscaling."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mesh.config.parsed import Settings
from mesh.config.quantity import Amount

Behavior = Literal["fast", "stable", "disabled"]
"""How quickly replicas are added, or taken away.

`fast` waits for nothing: every 15 s by 100 % or 4 replicas, whichever is more. `stable` follows
the most cautious wish of the last 300 s, and moves by 100 % per 15 s. `disabled` does not move in
that direction.
"""
Window = Annotated[int, Field(ge=0, le=3600)]
"""Seconds over which the most cautious wish is followed."""


class Metric(Settings):
    """A load that replicas shall not exceed on average.

    `value` is percent of the reserved cores for `cpu`, percent of a device for `gpu`, bytes
    (`"2Gi"`) for `memory`, requests per second of one replica for `qps`.
    """

    type: Literal["cpu", "gpu", "memory", "qps"]
    value: Amount


class Policy(Settings):
    """What replicas follow besides `concurrency`, and how quickly.

    A window that is given replaces that of its behavior.
    """

    metrics: tuple[Metric, ...] = ()
    scale_up_behavior: Behavior = "fast"
    scale_down_behavior: Behavior = "stable"
    scale_up_stabilization_window: Window | None = None
    scale_down_stabilization_window: Window | None = None

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: each for key, each in value.items() if each is not None}
        return value

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        types = [metric.type for metric in self.metrics]
        for kind in types:
            if types.count(kind) > 1:
                raise ValueError(f"metrics: {kind} is there twice")
        return self


class Scaling(Settings):
    """Bounds of the number of replicas; `min_replicas` 0 lets an idle service have none.

    The last replica goes when there was no load for `scale_to_zero_after` seconds (None: for the
    down window, and for 30 seconds at least).
    """

    min_replicas: Annotated[int, Field(ge=0)] = 1
    max_replicas: Annotated[int, Field(gt=0)] = 1
    scale_to_zero_after: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    policy: Policy | None = None

    @model_validator(mode="before")
    @classmethod
    def _room(cls, value: Any) -> Any:
        """Without a maximum there is no room above the minimum."""
        if isinstance(value, dict) and value.get("max_replicas") is None:
            least = value.get("min_replicas")
            return {**value, "max_replicas": max(least, 1) if isinstance(least, int) else 1}
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError(
                f"min_replicas {self.min_replicas} is more than max_replicas {self.max_replicas}"
            )
        return self

    @property
    def is_fixed(self) -> bool:
        """Whether the number never changes."""
        return self.min_replicas == self.max_replicas
