"""The controller is killed again and again while what is deployed changes: nothing is lost."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mesh.errors import (
    DeadlineExceeded,
    Internal,
    MeshError,
    NotFound,
    Unavailable,
)
from mesh.serving.described import described
from tests.e2e.clients import eventually
from tests.e2e.upped import LONG, ROOT, SERVICES, Upped, traffic, upped
from tests.postgresql import running_postgresql

T = TypeVar("T")
NAMES = ("a", "b", "c")


class Changes:
    """Changes of a few deployments, each tried until it is acknowledged; `wanted` is their sum.

    `wanted` has the target of each deployment, None where it is terminated; `weights` those of
    the endpoint.
    """

    def __init__(self, mesh: Upped, rng: random.Random) -> None:
        self.mesh = mesh
        self.rng = rng
        self.targets: dict[str, str] = {}
        self.asleep: set[str] = set()
        self.replicas: dict[str, int] = {}
        self.weights: dict[str, int] = {}
        self.revisions: dict[str, int] = {}
        self.made = 0

    def insist(self, change: Callable[[], T]) -> T:
        """What `change` returns once the controller has answered."""
        until = time.monotonic() + LONG
        while True:
            try:
                return change()
            except (Unavailable, DeadlineExceeded, Internal):
                assert time.monotonic() < until, "the controller does not come back"
                time.sleep(0.05)

    def one(self) -> None:
        """Makes one change."""
        name = self.rng.choice(NAMES)
        verbs: list[Callable[[str], None]] = [self.deploy]
        if name in self.targets:
            verbs += [self.deploy, self.rollback, self.terminate, self.start, self.restart]
            verbs += [self.endpoint, self.endpoint, self.delete]
        self.rng.choice(verbs)(name)
        self.made += 1

    def deploy(self, name: str) -> None:
        target = self.rng.choice(("Cell", "NextCell"))
        replicas = self.rng.choice((1, 2))
        path = [str(ROOT)]
        app = described(f"{SERVICES}:{target}", {"name": name, "replicas": replicas}, path)
        view = self.insist(lambda: self.mesh.client.apply(app))
        self.targets[name], self.replicas[name] = target, replicas
        self.asleep.discard(name)
        self.revisions[name] = view.revision

    def rollback(self, name: str) -> None:
        to = self.rng.randint(1, self.revisions[name])
        kept = self.insist(lambda: self.mesh.client.deployments.revision(name, to))
        view = self.insist(lambda: self.mesh.client.deployments.rollback(name, to))
        self.targets[name] = kept.config["target"].partition(":")[2]
        self.replicas[name] = kept.config["replicas"]
        self.asleep.discard(name)
        self.revisions[name] = view.revision

    def terminate(self, name: str) -> None:
        self.insist(lambda: self.mesh.client.deployments.terminate(name))
        self.asleep.add(name)

    def start(self, name: str) -> None:
        self.insist(lambda: self.mesh.client.deployments.start(name))
        self.asleep.discard(name)

    def restart(self, name: str) -> None:
        view = self.insist(lambda: self.mesh.client.deployments.restart(name))
        self.asleep.discard(name)
        self.revisions[name] = view.revision

    def endpoint(self, name: str) -> None:
        weights = {name: self.rng.randint(1, 99)}
        self.insist(lambda: self.mesh.client.endpoints.apply("front", {"deployments": weights}))
        self.weights = weights

    def delete(self, name: str) -> None:
        def gone() -> None:
            try:
                self.mesh.client.deployments.delete(name)
            except NotFound:
                return  # an earlier try of the same has come through

        self.insist(gone)
        for kept in (self.targets, self.replicas, self.revisions):
            del kept[name]
        self.asleep.discard(name)

    def check(self) -> None:
        """Everything that was acknowledged is there."""
        views = {view.name: view for view in self.mesh.client.deployments.list()}
        assert views.keys() == {"steady", "moving", *self.targets}
        for name, target in self.targets.items():
            found = views[name]
            assert found.config["target"] == f"{SERVICES}:{target}", name
            assert found.config["replicas"] == self.replicas[name], name
            assert found.intent == ("terminate" if name in self.asleep else "run"), name
            assert found.revision >= self.revisions[name], name
        if self.weights:
            found_weights = self.mesh.client.endpoints.get("front").config["deployments"]
            assert found_weights == self.weights

    def is_reached(self) -> bool:
        """Whether what runs is what is wanted, and nothing else does."""
        for view in self.mesh.client.deployments.list():
            replicas = self.mesh.client.replicas(view.name)
            ids = {version.id for version in view.versions}
            if view.intent == "terminate":
                if replicas or view.status != "terminated":
                    return False
                continue
            if view.status != "running":
                return False
            if any(each.phase != "ready" or each.version_id not in ids for each in replicas):
                return False
        deployed = {view.name for view in self.mesh.client.deployments.list()}
        return all(each.deployment in deployed for each in self.mesh.client.replicas())


def kill(mesh: Upped, pause: float = 0.0) -> None:
    """Kills the controller `pause` seconds from now, whatever it does then."""
    time.sleep(pause)
    process = eventually(mesh.controller, "a controller runs", LONG)
    assert process is not None
    process.kill()
    process.wait(LONG)


def back(mesh: Upped) -> None:
    """Waits until the controller answers again."""

    def answers() -> bool:
        try:
            return mesh.client.status().ready
        except MeshError:
            return False

    eventually(answers, "the controller is back", LONG)


def change_and_kill(mesh: Upped, changes: int, kills: int, seed: int) -> None:
    """So many changes, and so many deaths of the controller at moments between them."""
    rng = random.Random(seed)
    made = Changes(mesh, rng)
    moving: dict[str, Any] = {"replicas": 2}
    mesh.deploy("Shop", "steady", replicas=2)
    mesh.deploy("Shop", "moving", **moving)
    mesh.running("steady")
    mesh.running("moving")
    steady = set(mesh.ready("steady"))
    when = set(rng.sample(range(1, changes), kills))
    releases = ("NewShop", "Shop")
    updates = 0
    with (
        ThreadPoolExecutor(1) as killer,
        traffic(mesh, "steady", each=1) as calls,
        traffic(mesh, "moving", each=1) as others,
    ):
        calls.reach("one")
        killed = []
        for number in range(changes):
            if number in when:
                killed.append(killer.submit(kill, mesh, rng.uniform(0, 1.0)))
            if number % (changes // 4) == 1:
                release = releases[updates % 2]
                updates += 1
                app = described(f"{SERVICES}:{release}", {"name": "moving", **moving}, [str(ROOT)])
                made.insist(lambda app=app: mesh.client.apply(app))
            else:
                made.one()
        for each in killed:
            each.result(LONG)
        back(mesh)
        made.check()
        eventually(made.is_reached, "what is wanted runs, and nothing else", LONG)
        before = {each.id for each in mesh.client.replicas()}
        kill(mesh)
        back(mesh)
        eventually(made.is_reached, "what is wanted runs, and nothing else", LONG)
        made.check()
        calls.more(3)
        others.more(3)
    assert calls.failures == []
    assert others.failures == []
    assert {each.id for each in mesh.client.replicas()} == before, "none was started or ended"
    assert set(mesh.ready("steady")) == steady, "no healthy replica was restarted"


@pytest.mark.timeout(600)
def test_a_hundred_changes_survive_a_controller_that_is_killed(tmp_path: Path) -> None:
    with upped(tmp_path) as mesh:
        change_and_kill(mesh, 100, 8, 1)


@pytest.mark.timeout(300)
def test_so_they_do_in_postgresql(tmp_path: Path) -> None:
    with running_postgresql() as server, upped(tmp_path, "--store", server.database()) as mesh:
        change_and_kill(mesh, 16, 2, 2)
