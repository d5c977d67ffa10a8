"""Sizes of requests of adapted services."""

import bentoml

from mesh.compat.bentoml.settings import config


def served(**traffic: object) -> object:
    @bentoml.service(traffic=traffic)
    class Main:
        @bentoml.api
        def f(self, x: int) -> int:
            return x

    return Main


def test_a_request_may_be_of_any_size_as_there() -> None:
    assert (config(served()).traffic.max_request_bytes or 0) > 2**40


def test_a_limit_can_be_set() -> None:
    assert config(served(max_request_bytes="2Gi")).traffic.max_request_bytes == 2 * 2**30
