"""How figures follow from what was measured."""

import json

import pytest

from tests.bench.load import Load
from tests.bench.measures import (
    GRAPH,
    GRPC_AIO,
    IN_FLIGHT,
    MESH_GRPC,
    MESH_HTTP,
    UVICORN,
    Figure,
    Round,
    as_json,
    load_figures,
    medians,
)

NAMES = (UVICORN, MESH_HTTP, GRAPH, GRPC_AIO, MESH_GRPC)


def a_round(speed: float, **rates: float) -> Round:
    """A round on a machine that is `speed` times as fast."""
    at = dict(zip(NAMES, (10_000, 6_000, 3_600, 4_000, 9_000), strict=True)) | rates
    return {
        (name, number): Load(at[name] * speed, 10 / (at[name] * speed), 0.1 / speed)
        for name in NAMES
        for number in IN_FLIGHT
    }


def test_ratios_are_of_one_round_so_that_a_slow_one_does_not_tell() -> None:
    figures = load_figures([a_round(1), a_round(0.1), a_round(0.5)], [0.001, 0.01, 0.002])
    assert [figure.value for figure in figures] == pytest.approx([0.6, 2.25, 10 / 6, 0.6, 10 / 9])
    assert all(figure.is_reached for figure in figures)


def test_of_parts_that_were_not_measured_there_are_no_figures() -> None:
    only_grpc = {key: load for key, load in a_round(1).items() if "gRPC" in key[0]}
    assert [figure.title for figure in load_figures([only_grpc], [0.0])] == [
        "mesh gRPC ÷ grpc.aio, 64 in flight"
    ]


def test_medians_are_taken_of_each_figure() -> None:
    found = medians([a_round(1), a_round(3), a_round(2)])
    assert found[UVICORN, 1].rate == 20_000


@pytest.mark.parametrize(
    ("value", "is_least", "reached"),
    [(2.0, True, True), (1.9, True, False), (2.0, False, True), (2.1, False, False)],
)
def test_a_figure_at_its_limit_is_reached(value: float, is_least: bool, reached: bool) -> None:
    assert Figure("", [value], 2.0, is_least=is_least).is_reached is reached


def test_everything_is_in_the_json() -> None:
    rounds, links = [a_round(1), a_round(1)], [0.001, 0.001]
    found = json.loads(json.dumps(as_json(rounds, links, load_figures(rounds, links))))
    assert len(found["rounds"]) == 2
    assert len(found["figures"]) == 5
    assert found["figures"][0]["at_least"] == 0.5
    load = {"what": UVICORN, "in_flight": 1, "rate": 10_000, "p50": 0.001, "p99": 0.1}
    assert found["loads"][0] == load
