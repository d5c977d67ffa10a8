"""Settings of scaling and traffic → the rule that the number of replicas follows."""

from typing import Final

from mesh.config import Policy, Scaling, Traffic
from mesh.config.scaling import Behavior
from mesh.control.autoscale import Direction, ScaleRule

WINDOWS: Final[dict[Behavior, float]] = {"fast": 0.0, "stable": 300.0, "disabled": 0.0}
"""Seconds of the window that each behavior has of itself."""


def rule_of(scaling: Scaling, traffic: Traffic) -> ScaleRule:
    """The rule of a service with these settings."""
    policy = scaling.policy or Policy()
    return ScaleRule(
        min_replicas=scaling.min_replicas,
        max_replicas=scaling.max_replicas,
        concurrency=traffic.concurrency or 0,
        external_queue=traffic.external_queue,
        metrics=tuple((metric.type, metric.value) for metric in policy.metrics),
        up=_direction(policy.scale_up_behavior, policy.scale_up_stabilization_window),
        down=_direction(policy.scale_down_behavior, policy.scale_down_stabilization_window),
        idle=scaling.scale_to_zero_after,
    )


def _direction(behavior: Behavior, window: int | None) -> Direction:
    return Direction(behavior, WINDOWS[behavior] if window is None else float(window))
