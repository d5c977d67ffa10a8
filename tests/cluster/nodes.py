"""A Ray cluster of four nodes on this machine, of whose first this process is a member."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from ray.cluster_utils import Cluster

from mesh.cluster.embedded import environment, own_token

HEALTH = {
    # A node that is gone is given up after two seconds, not half a minute; one that is busy is not.
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "4",
}
MEMORY = 80 * 2**20
"""Bytes of each node's object store, about the least that Ray takes."""
NODES: Mapping[str, Mapping[str, object]] = {
    "node-a": {"num_cpus": 2, "num_gpus": 2, "resources": {"accelerator_type:L4": 1}},
    "node-b": {"num_cpus": 2, "num_gpus": 1, "labels": {"ray.io/accelerator-type": "A100"}},
    "node-c": {"num_cpus": 2, "resources": {"nvme": 1}},
}
"""Besides the head, which has nothing to give. GPUs are logical."""

Lose = Callable[[str], None]
"""Takes the node of a name away for good, as if its power went."""


T = TypeVar("T")


@contextmanager
def four_nodes(join: Callable[[str], AbstractContextManager[T]]) -> Iterator[tuple[T, Lose]]:
    """What joining the cluster at its address gives, and how to lose nodes.

    The process joins while there is only the head. Later Ray would pick any node with the address
    of this machine, and what is to be where the process is, the controller, would go with it.
    """
    own_token()
    with environment(HEALTH):
        head = {"num_cpus": 0, "num_gpus": 0, "include_dashboard": False, "node_name": "head"}
        cluster = Cluster(
            initialize_head=True, head_node_args={**head, "object_store_memory": MEMORY}
        )
    try:
        with join(cluster.address) as joined:
            with environment(HEALTH):
                added = {
                    name: cluster.add_node(
                        wait=False, node_name=name, object_store_memory=MEMORY, **settings
                    )
                    for name, settings in NODES.items()
                }
                cluster.wait_for_nodes()

            def lose(name: str) -> None:
                cluster.remove_node(added[name], allow_graceful=False)

            yield joined, lose
    finally:
        cluster.shutdown()
