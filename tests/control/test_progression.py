"""A canary's progression between settings, record and decision."""

from mesh.config import DeploymentConfig, parse
from mesh.control import canary
from mesh.control.loads import Outcomes
from mesh.control.outcomes import Ledger
from mesh.control.progression import (
    Progression,
    begun,
    document,
    observed,
    overlaid,
    status,
    taken_back,
)
from tests.control.simulation import desired, version

SETTINGS = {"steps": [10, 50, 100], "wait": 5, "min_requests": 0}


def config(progression: dict[str, object] | None, *others: str) -> DeploymentConfig:
    versions = {"next": {"target": "m:A"}, **{name: {"target": "m:B"} for name in others}}
    wanted = {"version": "next", **progression} if progression is not None else None
    value = {"name": "d", "target": "m:A", "canary": {"versions": versions, "progression": wanted}}
    return parse(DeploymentConfig, value, what="test")


def start() -> Progression:
    found = begun(config(SETTINGS), 3, {}, 100.0)
    assert found is not None
    return found


def test_a_revision_without_a_progression_has_none() -> None:
    assert begun(config(None), 1, {}, 0.0) is None
    assert overlaid(desired(version("v1")), None) == desired(version("v1"))


def test_a_progression_begins_with_its_first_step_and_goes_on_where_it_was_kept() -> None:
    found = start()
    assert (found.plan.version, canary.weight(found.plan, found.progress)) == ("next", 10)
    stepped = found._replace(progress=canary.judge(found.plan, found.progress, 105.0)[0])
    kept = document(stepped, 3)
    assert begun(config(SETTINGS), 3, kept, 500.0) == stepped
    again = begun(config(SETTINGS), 4, kept, 500.0)
    assert again is not None
    assert (again.progress.step, again.progress.since) == (0, 500.0)


def test_the_only_canary_is_meant_where_none_is_named() -> None:
    found = begun(config({**SETTINGS, "version": ""}), 1, {}, 0.0)
    assert found is not None
    assert found.plan.version == "next"


def test_main_has_what_the_canary_and_the_others_leave() -> None:
    three = desired(version("v1"), version("v2", "next", 0), version("v3", "other", 20))
    found = start()
    weights = {each.name: each.weight for each in overlaid(three, found).versions}
    assert weights == {"main": 70, "next": 10, "other": 20}
    whole = found._replace(progress=canary.Progress(2, 0.0))
    weights = {each.name: each.weight for each in overlaid(three, whole).versions}
    assert weights == {"main": 0, "next": 80, "other": 20}


def test_requests_of_all_releases_of_main_count_and_those_of_other_canaries_do_not() -> None:
    ledger = Ledger()
    old = version("v0")
    three = desired(version("v1"), version("v2", "next", 0), version("v3", "other", 20))
    for identity, number in (("v0", 1), ("v1", 2), ("v2", 4), ("v3", 8)):
        ledger.add("d", identity, Outcomes(number, 0, {}), 0.0)
    found = observed(start(), three, {"main": (old, three.versions[0])}, ledger)
    assert (found.progress.main.requests, found.progress.canary.requests) == (3, 4)
    again = observed(found, three, {"main": (old, three.versions[0])}, ledger)
    assert again.progress == found.progress


def test_the_status_tells_weights_metrics_and_what_is_waited_for() -> None:
    ledger = Ledger()
    two = desired(version("v1"), version("v2", "next", 0))
    ledger.add("d", "v2", Outcomes(10, 1, {}), 0.0)
    told = status(two, {}, start(), {}, ledger, (1.0, 101.0))
    assert told.weights == {"main": 90, "next": 10}
    assert (told.metrics["next"].requests, told.metrics["next"].error_rate) == (10, 0.1)
    assert told.metrics["main"].requests == 0
    assert told.reason == "10 % for 4 s more"


def test_what_has_ended_is_still_told() -> None:
    kept = {"progress": {"reason": "worse than main"}}
    told = status(desired(version("v1")), {}, None, kept, Ledger(), (0.0, 0.0))
    assert told.reason == "worse than main"


def test_why_a_canary_was_taken_back_is_told_until_the_next_revision() -> None:
    found = start()
    gone = canary.Progress(0, 100.0, state=canary.State.ABORTED, reason="error rate 10 %")
    kept = document(found._replace(progress=gone), 3)
    assert taken_back(kept, 4) == "canary next aborted: error rate 10 %"
    assert taken_back(kept, 5) == ""
    assert taken_back(document(found, 3), 4) == ""
    assert taken_back({}, 1) == ""
