"""What a deployment may be set to: what is wrong is named by its key."""

from typing import Any

import pytest

from mesh.config import DeploymentConfig, parse
from mesh.errors import ConfigError

OTHER = {"target": "app:Other", "weight": 60}


def config(**settings: Any) -> DeploymentConfig:
    return parse(DeploymentConfig, {"name": "d", "target": "app:Main", **settings}, what="d")


def of_service(**settings: Any) -> dict[str, Any]:
    return {"services": {"Main": settings}}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"nmae": "x"}, "d: nmae: there is no such setting"),
        ({"name": "Upper"}, "d: name: a name has small letters, digits and hyph"),
        ({"deployment_strategy": "Rolling"}, "d: deployment_strategy: input should be 'Rolling"),
        ({"progress_deadline": 0}, "d: progress_deadline: input should be greater than 0"),
        ({"replicas": 1, "scaling": {}}, "d: replicas and scaling exclude each other"),
        ({"labels": {"a": 1}}, "d: labels.a: input should be a valid string"),
        ({"placement": "near"}, "d: placement: input should be 'pack', 'spread' or 'strict_"),
        (of_service(scalling={}), "d: services.Main.scalling: there is no such setting"),
        (
            of_service(replicas=1, scaling={}),
            "d: services.Main: replicas and scaling exclude each other",
        ),
        (
            of_service(instance_type="cpu.1", resources={}),
            "d: services.Main: instance_type and resources exclude each other",
        ),
        (
            of_service(traffic={}, config_overrides={"traffic": {}}),
            "d: services.Main: traffic and config_overrides.traffic exclude each other",
        ),
        (
            of_service(config_overrides={"workers": 2}),
            "d: services.Main.config_overrides.workers: there is no such setting",
        ),
        (
            of_service(scaling={"min_replicas": 3, "max_replicas": 2}),
            "d: services.Main.scaling: min_replicas 3 is more than max_replicas 2",
        ),
        (
            of_service(scaling={"policy": {"metrics": [{"type": "qps", "value": 1}] * 2}}),
            "d: services.Main.scaling.policy: metrics: qps is there twice",
        ),
        (
            of_service(scaling={"policy": {"scale_up_behavior": "slow"}}),
            "d: services.Main.scaling.policy.scale_up_behavior: input should be 'fast'",
        ),
        ({"canary": {"versions": {"a": OTHER, "b": OTHER}}}, "weights add up to 120"),
        ({"canary": {"versions": {"main": OTHER}}}, "'main' is the deployment itself"),
        ({"canary": {"route_type": "header"}}, "route_by goes with route_type header or query"),
        ({"canary": {"route_by": "x-user"}}, "route_by goes with route_type header or query"),
        ({"canary": {"progression": {}}}, "progression.version: say which canary is meant"),
        (
            {"canary": {"versions": {"a": OTHER}, "progression": {"version": "b"}}},
            "progression.version: there is no canary 'b'",
        ),
        (
            {"canary": {"versions": {"a": OTHER}, "progression": {"steps": [50, 5]}}},
            "canary.progression: steps: each must be greater than the one before",
        ),
    ],
)
def test_what_is_wrong_is_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config(**settings)
    assert said in refused.value.message


def test_without_a_maximum_there_is_no_room_above_the_minimum() -> None:
    found = config(scaling={"min_replicas": 3}).scaling
    assert found is not None
    assert (found.max_replicas, found.is_fixed) == (3, True)
