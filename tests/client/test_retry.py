"""When a failed call is tried again."""

from random import Random

import pytest

from mesh.client.retry import FIRST_PAUSE, NotSent, pause
from mesh.errors import (
    InvalidArgument,
    MeshError,
    Overloaded,
    TooLarge,
    Unavailable,
)


def wait(
    error: MeshError,
    *,
    tries: int = 1,
    retries: int = 2,
    idempotent: bool = False,
    left: float = 60.0,
) -> float | None:
    rng = Random(1)
    return pause(error, tries=tries, retries=retries, idempotent=idempotent, left=left, rng=rng)


@pytest.mark.parametrize("error", [NotSent(), Overloaded("full", http_status=429)])
def test_what_never_ran_is_tried_again(error: MeshError) -> None:
    found = wait(error)
    assert found is not None
    assert 0 < found < 2 * FIRST_PAUSE


def test_what_may_have_run_is_tried_again_only_if_it_is_idempotent() -> None:
    assert wait(Unavailable("gone")) is None
    assert wait(Unavailable("gone"), idempotent=True) is not None


@pytest.mark.parametrize(
    "error", [InvalidArgument(), TooLarge(), Overloaded("over gRPC"), MeshError()]
)
def test_what_would_fail_again_is_not_tried_again(error: MeshError) -> None:
    assert wait(error, idempotent=True) is None


def test_there_are_no_more_tries_than_said() -> None:
    assert wait(NotSent(), tries=2, retries=2) is not None
    assert wait(NotSent(), tries=3, retries=2) is None
    assert wait(NotSent(), tries=1, retries=0) is None


def test_a_service_that_says_when_is_not_asked_before() -> None:
    assert wait(Overloaded("full", retry_after=3.0)) == 3.0


def test_no_try_begins_after_the_deadline() -> None:
    assert wait(Overloaded("full", retry_after=3.0), left=2.9) is None


def test_pauses_grow_from_try_to_try() -> None:
    first, third = wait(NotSent(), tries=1, retries=9), wait(NotSent(), tries=4, retries=9)
    assert first is not None
    assert third is not None
    assert third > 4 * first
