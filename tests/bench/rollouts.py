"""What clients see of rollouts, of replicas that die and of a controller that does."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mesh.errors import MeshError
from tests.bench.measures import Figure, Say
from tests.e2e.clients import eventually
from tests.e2e.failover import kill_replicas
from tests.e2e.upped import LONG, Upped, traffic, upped

UPDATES = 20
"""Rolling updates of a graph of two services, under load."""
KILLED_REPLICAS = 3
KILLED_CONTROLLERS = 3
MOST_SECONDS = 30.0
"""Seconds until a controller that died has taken up all again, at most."""


@dataclass(frozen=True, slots=True)
class Rollouts:
    """What was counted. `failures` and `others` have the text of each call that failed.

    `held` counts the calls that died with their replica: it had them, and they may not run twice;
    `begun` those of them that had begun to run. `reconciled` has the seconds from each death of
    the controller until everything is as it should be.
    """

    updates: int
    calls: int
    failures: list[str]
    failover_calls: int
    others: list[str]
    held: int
    begun: int
    reconciled: list[float]


def rollout_rounds(say: Say) -> Rollouts:
    """Measures all of it once, on one mesh."""
    with tempfile.TemporaryDirectory() as name, upped(Path(name, "state")) as mesh:
        calls, failures = _updates(mesh, say)
        say("the controller dies")
        reconciled = [_controller_dies(mesh) for _ in range(KILLED_CONTROLLERS)]
        mesh.client.deployments.delete("shop")
        say("replicas die")
        ledger = Path(name, "ledger")
        ledger.mkdir()
        losses = kill_replicas(mesh, ledger, KILLED_REPLICAS)
    held = len(losses.held)
    return Rollouts(
        UPDATES, calls, failures, losses.calls, list(losses.others), held, losses.begun, reconciled
    )


def _updates(mesh: Upped, say: Say) -> tuple[int, list[str]]:
    settings = {"services": {"Shop": {"replicas": 2}, "Stock": {"replicas": 1}}}
    mesh.deploy("Shop", "shop", **settings)
    mesh.running("shop")
    with traffic(mesh, "shop", each=1) as calls:
        calls.answered_by("one")
        for number in range(1, UPDATES + 1):
            say(f"rolling update {number} of {UPDATES}")
            release, answer = (("Shop", "one"), ("NewShop", "two"))[number % 2]
            view = mesh.deploy(release, "shop", **settings)
            mesh.client.wait("shop", LONG, revision=view.revision)
            calls.answered_by(answer)
    return calls.count, calls.failures


def _controller_dies(mesh: Upped) -> float:
    """Seconds until a new controller has all replicas of the old one, and all is published."""
    before = set(mesh.ready("shop"))
    process = eventually(mesh.controller, "a controller runs", LONG)
    assert process is not None
    killed = time.monotonic()
    process.kill()

    def is_reached() -> bool:
        try:
            is_running = mesh.client.deployments.get("shop").status == "running"
            return is_running and set(mesh.ready("shop")) == before
        except MeshError:
            return False

    process.wait(LONG)
    eventually(is_reached, "the controller has taken up everything", LONG)
    return time.monotonic() - killed


def rollout_figures(found: Rollouts) -> list[Figure]:
    """The figures to reach."""
    return [
        Figure(
            f"{found.updates} rolling updates under load: failed requests",
            [len(found.failures)],
            0,
            is_least=False,
        ),
        Figure(
            "replica killed under load: failed non-started requests",
            [len(found.others)],
            0,
            is_least=False,
        ),
        Figure(
            "controller killed: to the first reconciled state",
            found.reconciled,
            MOST_SECONDS,
            is_least=False,
            unit="s",
        ),
    ]


def rollout_json(found: Rollouts) -> Mapping[str, object]:
    """Everything in plain values; times in seconds."""
    return asdict(found)
