"""Instance types as resources, and as the cloud API has them."""

import pytest

from mesh.config import Resources
from mesh.config.instance_types import DEFAULTS
from mesh.control.instance_types import (
    built_in,
    config_of,
    holds,
    is_active,
    resources_in,
    types_in,
)
from mesh.control.placement import Node
from mesh.errors import ConfigError

GIB = 2**30


@pytest.mark.parametrize("name", DEFAULTS)
def test_what_is_told_of_a_built_in_type_is_what_it_reserves(name: str) -> None:
    assert resources_in(built_in(name).config) == DEFAULTS[name]


def test_a_config_of_quantities_is_what_a_replica_reserves() -> None:
    requests = {"cpu": "500m", "memory": "2Gi", "gpu": "1", "custom": {"tpu": "4"}}
    config = {"resources": {"requests": requests}, "gpu_config": {"type": "L4", "memory": "24Gi"}}
    expected = Resources(cpu=0.5, memory=2 * GIB, gpu=1, gpu_type="L4", custom={"tpu": 4})
    assert resources_in(config) == expected
    assert resources_in(config_of(expected)) == expected


def test_limits_count_where_nothing_is_requested() -> None:
    told = {"requests": {"cpu": "1", "memory": ""}, "limits": {"cpu": "2", "memory": "1Gi"}}
    assert resources_in({"resources": told}) == Resources(cpu=1, memory=GIB)
    assert resources_in({}) == Resources()


@pytest.mark.parametrize(
    "requests",
    [
        {"cpu": "many"},
        {"memory": "-1Gi"},
        {"memory": "9" * 400 + "Ti"},
        {"gpu": "1.5"},
        {"gpu": "nan"},
        {"gpu": "inf"},
        {"custom": {"CPU": "1"}},
        {"custom": {"tpu": "x"}},
    ],
)
def test_what_no_replica_can_reserve_is_no_type(requests: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"config\.resources: "):
        resources_in({"resources": {"requests": requests}})


def test_a_type_is_active_if_one_node_holds_it() -> None:
    small = Node("a", "a", {"CPU": 2.0, "memory": 4.0 * GIB}, {})
    large = Node("b", "b", {"CPU": 8.0, "memory": 64.0 * GIB, "GPU": 1.0}, {}, frozenset({"L4"}))
    assert holds(small, DEFAULTS["cpu.2"])
    assert not holds(small, DEFAULTS["cpu.4"])
    assert is_active([small, large], DEFAULTS["gpu.l4.1"])
    assert not is_active([small, large], DEFAULTS["gpu.t4.1"])
    assert is_active([], DEFAULTS["gpu.t4.1"])  # resources are not counted


def test_the_types_that_a_deployment_names_are_those_of_its_canaries_too() -> None:
    config = {
        "services": {"A": {"instance_type": "cpu.1"}, "B": {"instance_type": None}},
        "canary": {"versions": {"v2": {"services": {"A": {"instance_type": "cpu.2"}}}}},
    }
    assert types_in(config) == {"cpu.1", "cpu.2"}
