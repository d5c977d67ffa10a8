"""What Ray tells of nodes, as values."""

from typing import Any

from mesh.cluster.ray_nodes import nodes_of, type_options
from mesh.control.placement import Anywhere, On
from tests.cluster.contract_checks import launch


def told(node_id: str, name: str = "", labels: Any = None, **resources: float) -> dict[str, Any]:
    """A node as `ray.nodes` tells of it."""
    return {
        "NodeID": node_id,
        "NodeName": name,
        "NodeManagerAddress": "10.0.0.1",
        "Resources": resources,
        "Labels": labels or {},
    }


TYPED = told("a", "typed", **{"GPU": 1.0, "accelerator_type:L4": 1.0})
LABELLED = told("b", "labelled", {"ray.io/accelerator-type": "A100"}, GPU=1.0)
BOTH = told("c", "both", {"ray.io/accelerator-type": "T4"}, **{"accelerator_type:T4": 1.0})


def test_a_node_has_its_resources_and_what_is_free_of_them() -> None:
    (node,) = nodes_of([told("a", "n", CPU=4.0)], {"a": {"CPU": 1.0}})
    assert (node.id, node.name, node.total, node.free) == ("a", "n", {"CPU": 4.0}, {"CPU": 1.0})


def test_of_a_node_that_has_just_joined_nothing_is_free_yet() -> None:
    (node,) = nodes_of([told("a", CPU=4.0)], {})
    assert not node.free


def test_nodes_are_called_by_name_or_address_and_told_apart() -> None:
    nodes = nodes_of([told("a", "n"), told("abcdefgh"), told("bcdefghi")], {})
    assert [node.name for node in nodes] == ["n", "10.0.0.1/abcdef", "10.0.0.1/bcdefg"]


def test_the_type_of_gpus_is_read_from_resources_and_labels() -> None:
    types = [set(node.gpu_types) for node in nodes_of([TYPED, LABELLED, BOTH, told("d")], {})]
    assert types == [{"L4"}, {"A100"}, {"T4"}, set()]


def test_a_type_is_asked_for_as_the_nodes_that_have_it_say_it() -> None:
    nodes = nodes_of([TYPED, LABELLED, BOTH], {})
    by_label = {"label_selector": {"ray.io/accelerator-type": "A100"}}
    assert type_options(launch(), Anywhere(), nodes) == {}
    assert type_options(launch(gpu_type="L4"), Anywhere(), nodes) == {"accelerator_type": "L4"}
    assert type_options(launch(gpu_type="A100"), Anywhere(), nodes) == by_label
    assert type_options(launch(gpu_type="A100"), On("b"), nodes) == by_label
    assert type_options(launch(gpu_type="T4"), On("c"), nodes) == {"accelerator_type": "T4"}
    assert type_options(launch(gpu_type="H100"), Anywhere(), nodes) == {"accelerator_type": "H100"}
