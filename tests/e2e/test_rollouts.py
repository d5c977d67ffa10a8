"""Rollouts of a graph of two services under constant load: HTTP, gRPC, unary and streams."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesh.errors import FailedPrecondition
from tests.e2e.failover import THREADS, kill_replicas
from tests.e2e.upped import LONG, Upped, traffic, upped

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upped]:
    folder: Path = tmp_path_factory.mktemp("mesh")
    with upped(folder) as made:
        yield made


@pytest.mark.parametrize("strategy", ["RollingUpdate", "RampedSlowRollout"])
def test_a_gradual_update_fails_no_request(mesh: Upped, strategy: str) -> None:
    name = strategy.lower()
    settings: Any = {"replicas": 2, "deployment_strategy": strategy}
    mesh.deploy("Shop", name, **settings)
    mesh.running(name)
    with traffic(mesh, name) as calls:
        calls.reach("one")
        mesh.deploy("NewShop", name, **settings)
        mesh.running(name, 2)
        calls.reach("two")
    assert calls.failures == []
    mesh.client.deployments.delete(name)


def test_the_best_effort_rollout_has_a_fifth_less_at_most_and_never_more(mesh: Upped) -> None:
    settings: Any = {
        "deployment_strategy": "BestEffortControlledRollout",
        "services": {"Shop": {"replicas": 5}, "Stock": {"replicas": 1}},
    }
    mesh.deploy("Shop", "best", **settings)
    mesh.running("best")
    with traffic(mesh, "best", each=1) as calls:
        calls.reach("one")
        mesh.deploy("NewShop", "best", **settings)
        live, ready = [0], [5]
        while (view := mesh.client.deployments.get("best")).status != "running":
            found = [each for each in mesh.client.replicas("best") if each.service == "Shop"]
            live.append(sum(each.phase in ("starting", "ready") for each in found))
            ready.append(sum(each.phase == "ready" for each in found))
            assert view.status == "deploying", view.reason
        assert max(live) <= 5
        assert min(ready) >= 4, "a fifth is missing at most"
        mesh.running("best", 2)
        calls.reach("two")
    assert calls.failures == []
    mesh.client.deployments.delete("best")


def test_while_all_replicas_are_recreated_requests_wait(mesh: Upped) -> None:
    settings: Any = {"replicas": 1, "deployment_strategy": "Recreate"}
    mesh.deploy("Shop", "again", **settings)
    mesh.running("again")
    with traffic(mesh, "again") as calls:
        calls.reach("one")
        before = set(mesh.ready("again"))
        mesh.deploy("NewShop", "again", **settings)
        phases = set()
        while mesh.client.deployments.get("again").status != "running":
            found = mesh.client.replicas("again")
            phases.add((
                any(each.id in before and each.phase != "gone" for each in found),
                any(each.id not in before for each in found),
            ))  # fmt: skip
        assert (True, True) not in phases, "old and new ones never run together"
        calls.reach("two")
    assert calls.failures == []
    mesh.client.deployments.delete("again")


REFUSED = ("404", "503", "NOT_FOUND", "UNAVAILABLE", "NotFound", "Unavailable")
"""What those hear that call what is terminated or deleted."""
BAD: Any = {
    "import": ("NewShop", {"envs": {"SHOP_CANNOT_BE_IMPORTED": "1"}}, "there is no shop here"),
    "init": ("BrokenShop", {}, "the till is missing"),
    "never": ("EndlessShop", {"progress_deadline": 2}, "not ready within 2 s"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_release_that_cannot_start_takes_nothing_away_and_can_be_taken_back(
    mesh: Upped, kind: str
) -> None:
    name, (release, settings, reason) = f"bad-{kind}", BAD[kind]
    mesh.deploy("Shop", name, replicas=2)
    mesh.running(name)
    before = set(mesh.ready(name))
    with traffic(mesh, name) as calls:
        calls.reach("one")
        mesh.deploy(release, name, replicas=2, **settings)
        with pytest.raises(FailedPrecondition, match=reason):
            mesh.client.wait(name, LONG, revision=2)
        calls.more(3)
        found = mesh.client.deployments.get(name)
        assert (found.status, reason in found.reason) == ("failed", True), found.reason
        assert before <= set(mesh.ready(name)), "all of the old replicas serve on"
        done = mesh.mesh("deployment", "rollback", name)
        assert done.returncode == 0, done.stderr
        mesh.running(name, 3)
        assert set(mesh.ready(name)) == before, "going back restarts nothing"
        calls.reach("one")
    assert calls.failures == []
    mesh.client.deployments.delete(name)


def test_an_update_in_the_middle_of_a_rollout_and_a_rollback_to_any_revision(mesh: Upped) -> None:
    mesh.deploy("Shop", "midway", replicas=2)
    mesh.running("midway")
    with traffic(mesh, "midway") as calls:
        calls.reach("one")
        mesh.deploy("NewShop", "midway", replicas=2)
        mesh.settled("midway", lambda view: any(each.ready for each in view.versions[0].services))
        mesh.deploy("LastShop", "midway", replicas=2)
        mesh.running("midway", 3)
        calls.reach("three")
        for number, release in ((1, "one"), (2, "two")):
            back = mesh.client.deployments.rollback("midway", number)
            mesh.running("midway", back.revision)
            calls.reach(release)
        before = set(mesh.ready("midway"))
        again = mesh.client.deployments.restart("midway")
        mesh.running("midway", again.revision)
        assert not before & set(mesh.ready("midway")), "a restart replaces all"
        calls.reach("two")
    assert calls.failures == []
    mesh.client.deployments.delete("midway")


def test_a_name_that_is_used_again_at_once_never_leads_to_what_had_it(mesh: Upped) -> None:
    mesh.deploy("Shop", "reused", replicas=2)
    mesh.running("reused")
    with traffic(mesh, "reused", each=1) as calls:
        calls.reach("one")
        first = set(mesh.ready("reused"))
        mesh.client.deployments.terminate("reused")
        mesh.client.deployments.start("reused")
        calls.answered_by("one")
        mesh.client.deployments.delete("reused")
        mesh.deploy("NewShop", "reused", replicas=2)
        calls.answered_by("two")
    begun = max(began for began, _ in calls.times["one"])
    done = min(ended for _, ended in calls.times["two"])
    assert begun < done, "the old release gets no calls once the new one has answered"
    assert all(any(code in each for code in REFUSED) for each in calls.failures), calls.failures
    # The same again: it is another deployment all the same, and has its own replicas.
    second = set(mesh.ready("reused"))
    mesh.client.deployments.delete("reused")
    mesh.deploy("NewShop", "reused", replicas=2)
    mesh.running("reused")
    assert not (first | second) & set(mesh.ready("reused"))
    mesh.client.deployments.delete("reused")


def test_a_killed_replica_takes_with_it_only_what_it_held_and_may_not_run_twice(
    mesh: Upped, tmp_path: Path
) -> None:
    losses = kill_replicas(mesh, tmp_path, 2)
    assert losses.others == [], "what may run twice, or comes later, is asked of another"
    assert len(losses.held) <= 2 * 2 * THREADS
    assert all("gone" in text for text in losses.held), losses.held
