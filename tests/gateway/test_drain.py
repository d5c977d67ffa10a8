"""How a gateway leaves: when it may end, and what it asks of Envoy before."""

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from gateway.drain import GRACE, QUIET, Files, Leaving, Traffic, drain, press, shedding
from tests.link.rig import run

IDLE, BUSY = Traffic(1, 0, 7), Traffic(1, 1, 7)


def test_it_is_over_when_no_connection_is_left() -> None:
    assert Leaving(100.0).is_over(Traffic(0, 0, 7), 100.0)


def test_it_is_over_when_nothing_was_asked_for_a_while() -> None:
    leaving = Leaving(100.0)
    assert not leaving.is_over(IDLE, 100.0)
    assert not leaving.is_over(IDLE, 100.0 + QUIET / 2)
    assert leaving.is_over(IDLE, 100.0 + QUIET)


def test_a_call_begins_the_while_anew_even_if_it_is_done_already() -> None:
    leaving = Leaving(100.0)
    assert not leaving.is_over(IDLE, 100.0)
    assert not leaving.is_over(IDLE._replace(total=8), 100.0 + QUIET)
    assert not leaving.is_over(IDLE._replace(total=8), 100.0 + 1.5 * QUIET)
    assert leaving.is_over(IDLE._replace(total=8), 100.0 + 2 * QUIET)


def test_calls_that_run_are_waited_for_until_their_time_is_over() -> None:
    leaving = Leaving(100.0)
    assert not any(leaving.is_over(BUSY, 100.0 + GRACE * part / 10) for part in range(10))
    assert leaving.is_over(BUSY, 100.0 + GRACE)


def test_the_time_for_calls_may_be_another() -> None:
    leaving = Leaving(100.0, grace=90)
    assert not leaving.is_over(BUSY, 100.0 + 89)
    assert leaving.is_over(BUSY, 100.0 + 90)
    assert Leaving(100.0, grace=0).is_over(BUSY, 100.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_it_is_never_over_while_calls_run_before_their_time(
    looks: list[tuple[float, int, int]],
) -> None:
    leaving, now, total = Leaving(0.0), 0.0, 0
    for pause, connections, active in looks:
        now += pause
        total += active
        over = leaving.is_over(Traffic(connections, active, total), now)
        if over:
            assert not connections or not active or now >= GRACE
        if not connections or now >= GRACE:
            assert over


class Envoy:
    """Answers as the administration port does; `traffic` is what it tells, look by look."""

    def __init__(self, *traffic: Traffic) -> None:
        self.traffic = list(traffic)
        self.asked: list[str] = []
        self.now = 0.0

    async def ask(self, verb: str, path: str) -> bytes:
        self.asked.append(f"{verb} {path.partition('?')[0]}")
        if verb == "POST":
            return b"OK\n"
        names = ("cx_active", "rq_active", "rq_total")
        stats = [
            {"name": f"http.ingress_http.downstream_{name}", "value": value}
            for name, value in zip(names, self.traffic.pop(0), strict=True)
        ]
        return json.dumps({"stats": [*stats, {"histograms": {}}]}).encode()

    async def pause(self, seconds: float) -> None:
        self.now += seconds


def test_new_connections_end_before_old_ones_are_told_to_go() -> None:
    envoy = Envoy(BUSY, BUSY, Traffic(0, 0, 7))

    def shed() -> None:
        envoy.asked.append("shed")

    run(drain(envoy.ask, shed, lambda: envoy.now, envoy.pause))
    assert envoy.asked == [
        "POST /drain_listeners",
        "POST /healthcheck/fail",
        "shed",
        *["GET /stats"] * 3,
    ]


@pytest.mark.parametrize("is_given", [True, False])
def test_files_that_are_there_for_a_gateway_only_go_with_it(
    tmp_path: Path, *, is_given: bool
) -> None:
    files = Files.of(str(tmp_path / "admin") if is_given else "")
    files.admin.write_text("127.0.0.1:1")
    press(files.pressure, 0.0)
    press(files.pressure, 1.0)
    assert files.pressure.read_text() == "1.0"
    assert str(files.pressure) in json.dumps(shedding(files.pressure))
    files.remove()
    assert files.admin.exists() == is_given
    assert not files.pressure.exists()
    assert files.admin.parent.exists() == is_given
