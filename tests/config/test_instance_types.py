"""Names for sets of resources."""

import pytest

from mesh.config import MeshConfig, Resources, parse
from mesh.config.instance_types import DEFAULTS, GIB, resources_of
from mesh.errors import ConfigError


def catalogue_of(types: dict[str, object]) -> dict[str, Resources]:
    document = {"deployments": [{"name": "d", "target": "a:B"}], "instance_types": types}
    return parse(MeshConfig, document, what="mesh.yaml").instance_types


def test_a_default_type_is_a_set_of_resources() -> None:
    assert resources_of("cpu.2") == Resources(cpu=2, memory=4 * GIB)
    assert resources_of("gpu.l4.1").gpu_type == "L4"


def test_every_default_is_a_type_that_a_catalogue_may_hold() -> None:
    assert catalogue_of(dict(DEFAULTS)) == DEFAULTS


def test_a_catalogue_adds_types_and_replaces_defaults() -> None:
    catalogue = catalogue_of(
        {
            "cpu.2": {"cpu": 2, "memory": "7Gi"},
            "gpu.h100.half": {"gpu": 0.5, "gpu_type": "H100", "custom": {"nvme": 1}},
        }
    )
    assert resources_of("cpu.2", catalogue).memory == 7 * GIB
    assert resources_of("gpu.h100.half", catalogue).custom == {"nvme": 1}
    assert resources_of("cpu.1", catalogue) == DEFAULTS["cpu.1"]


def test_an_unknown_type_names_those_that_there_are() -> None:
    with pytest.raises(ConfigError) as refused:
        resources_of("cpu.3", {"my.type": Resources(cpu=1)})
    assert refused.value.message == (
        "there is no instance type 'cpu.3'; there are cpu.1, cpu.2, cpu.4, cpu.8, gpu.a100.1, "
        "gpu.l4.1, gpu.t4.1, my.type"
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"Big": {"cpu": 1}},
            "instance_types.Big: a name has small letters, digits, dots, hyph",
        ),
        ({"big": {"cores": 1}}, "instance_types.big.cores: there is no such setting"),
        ({"big": {"gpu_type": "L4"}}, "instance_types.big: gpu_type goes with gpu"),
    ],
)
def test_a_wrong_catalogue_names_the_key(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        catalogue_of(wrong)
    assert message in refused.value.message
