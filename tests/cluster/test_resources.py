"""Why a replica has no place."""

import pytest

from mesh.cluster.resources import GIB, shortage
from tests.cluster.contract_checks import launch

SMALL = {"CPU": 2.0, "memory": 4.0 * GIB}
BIG = {"CPU": 8.0, "GPU": 2.0, "memory": 64.0 * GIB}


@pytest.mark.parametrize(
    ("settings", "nodes", "free", "message"),
    [
        ({}, [SMALL], {}, ""),
        ({"cpu": 2.0}, [SMALL], SMALL, ""),
        ({"gpu": 1.0}, [SMALL], SMALL, "needs 1 gpu, the cluster has 0"),
        ({"gpu": 0.5}, [BIG], {"GPU": 0.25}, "waits for 0.5 gpu: 0.25 of 2 free"),
        ({"cpu": 4.0}, [SMALL], SMALL, "needs 4 cpu, the cluster has 2"),
        (
            {"cpu": 16.0},
            [SMALL, BIG],
            SMALL,
            "needs 16 cpu, the cluster has 8 on its largest node",
        ),
        (
            {"memory": 8 * GIB, "gpu": 1.0},
            [SMALL],
            SMALL,
            "needs 1 gpu, the cluster has 0; 8 GiB memory, the cluster has 4 GiB",
        ),
        (
            {"cpu": 4.0, "gpu": 1.0},
            [{"CPU": 8.0}, {"CPU": 1.0, "GPU": 1.0}],
            {},
            "needs 4 cpu and 1 gpu on one node, no node has all of it",
        ),
        ({"cpu": 1.0}, [], {}, "needs 1 cpu, the cluster has 0"),
    ],
)
def test_what_is_missing_is_named_with_what_there_is(
    settings: dict[str, float],
    nodes: list[dict[str, float]],
    free: dict[str, float],
    message: str,
) -> None:
    assert shortage(launch(**settings), nodes, free) == message
