"""When a server outside the mesh is left alone."""

from mesh.traffic.ejection import FAILURES, PAUSE, WELL


def test_a_server_is_left_alone_after_some_failures_in_a_row_and_tried_again_later() -> None:
    health = WELL
    for _ in range(FAILURES - 1):
        health = health.failed(100.0)
        assert not health.is_out(100.0)
    health = health.failed(100.0)
    assert health.is_out(100.0)
    assert health.is_out(100.0 + PAUSE - 0.1)
    assert not health.is_out(100.0 + PAUSE)


def test_one_failure_after_a_pause_begins_the_next() -> None:
    health = WELL
    for _ in range(FAILURES):
        health = health.failed(100.0)
    assert health.failed(200.0).is_out(200.0 + PAUSE / 2)
    assert not WELL.failed(200.0).is_out(200.0)
