"""The example of handwritten digits: how the demo judges, and the demo itself."""

import importlib.util
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "deploy" / "examples" / "digits"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"digits_{name}", FOLDER / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


verdict = load("verdict")
GOOD = verdict.Promotion(requests=500, failures=(), last=("v2",) * 100, seconds=0.1)


def replies(version: str, number: int, right: int, seconds: float = 0.01) -> list[Any]:
    return [verdict.Reply(version, version, at < right, seconds) for at in range(number)]


def results(main: int, canary: int, right: float = 1.0) -> list[Any]:
    found = replies("main", main, round(main * right)) + replies("v2", canary, canary)
    return verdict.by_version(found, {"main": 0.8, "v2": 0.2})


def judge(found: list[Any], failures: tuple[str, ...] = (), promotion: Any = GOOD) -> list[str]:
    return list(verdict.faults(found, failures, promotion, "v2"))


def test_shares_near_the_weights_and_good_answers_are_a_success() -> None:
    assert judge(results(720, 180)) == []


@pytest.mark.parametrize("canary", [142, 219])
def test_a_share_just_inside_the_bound_is_a_success(canary: int) -> None:
    assert judge(results(900 - canary, canary)) == []


@pytest.mark.parametrize("canary", [141, 221])
def test_a_share_outside_the_bound_is_named_with_the_bound(canary: int) -> None:
    main, other = judge(results(900 - canary, canary))
    assert main.startswith("version main got ")
    assert other.startswith(f"version v2 got {canary / 900:.1%}")
    assert "between 15.8% and 24.4%" in other


def test_the_bound_narrows_as_requests_grow_and_holds_the_weight() -> None:
    few, many = verdict.share_bound(500, 0.2), verdict.share_bound(50_000, 0.2)
    assert few[0] < many[0] < 0.2 < many[1] < few[1]


@pytest.mark.parametrize(("weight", "bound"), [(0.0, (0.0, 0.0)), (1.0, (1.0, 1.0))])
def test_a_weight_of_none_or_all_allows_nothing_else(
    weight: float, bound: tuple[float, float]
) -> None:
    assert verdict.share_bound(900, weight) == bound


def test_a_version_that_has_no_weight_must_not_answer() -> None:
    found = verdict.by_version(replies("main", 90, 90) + replies("old", 10, 10), {"main": 1.0})
    assert [each.version for each in found] == ["main", "old"]
    assert judge(found)[-1].startswith("version old got 10.0%")


def test_accuracy_of_nine_tenths_is_not_enough() -> None:
    (fault,) = judge(results(720, 180, right=0.9))
    assert fault == "version main is right about 90.0% of the images, which is not above 90%"


def test_a_failed_request_fails_the_demo_and_is_quoted() -> None:
    (fault,) = judge(results(720, 180), failures=("over HTTP: 503", "over gRPC: 14"))
    assert fault == "2 requests failed, the first with: over HTTP: 503"


def test_a_request_that_fails_during_the_promotion_fails_the_demo() -> None:
    (fault,) = judge(results(720, 180), promotion=replace(GOOD, failures=("over HTTP: 503",)))
    assert fault.startswith("1 of 500 requests failed during the promotion")


@pytest.mark.parametrize("last", [("v2", "v1"), ()])
def test_old_answers_or_none_after_the_promotion_fail_the_demo(last: tuple[str, ...]) -> None:
    (fault,) = judge(results(720, 180), promotion=replace(GOOD, last=last))
    assert fault.endswith("were not answered by v2")


def test_no_answers_at_all_is_a_fault_and_not_a_crash() -> None:
    faults = judge(verdict.by_version([], {"main": 0.8, "v2": 0.2}), failures=("refused",))
    assert len(faults) == 3
    assert "version main got no requests" in faults[0]


def test_percentiles_are_values_that_were_measured() -> None:
    assert verdict.percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert verdict.percentile([1.0, 2.0, 3.0, 4.0], 0.99) == 4.0
    assert verdict.percentile([1.0], 0.5) == 1.0
    assert math.isnan(verdict.percentile([], 0.5))


@pytest.mark.ray
def test_the_demo_succeeds() -> None:
    done = subprocess.run(
        [sys.executable, FOLDER / "demo.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "shares, accuracy and zero failures hold" in done.stdout
