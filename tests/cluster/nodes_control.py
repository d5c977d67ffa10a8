"""A whole mesh on a Ray cluster of four nodes: where deployments lie, and what a lost node costs.

A program, as `nodes_scenarios` is: it prints one JSON object, for each scenario `ok` or why not.
"""

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray

from mesh import ControlClient
from mesh.client.control.values import DeploymentView
from mesh.cluster.ray_actors import CONTROLLER, NAMESPACE
from mesh.cluster.start import connect
from mesh.config import DeploymentConfig, parse
from mesh.config.service import Resources
from mesh.ports import free_port
from mesh.serving.application import Release, application
from mesh.serving.run import Place, RunningMesh
from mesh.testing import LocalMesh
from tests.cluster.nodes import NODES, Lose, four_nodes
from tests.e2e.clients import Deployed, eventually, load
from tests.e2e.services import Who

PATIENCE = 90.0
"""Seconds that a busy machine has for what takes a few."""
DISKS = {"small": Resources(custom={"nvme": 0.5})}
"""Instance types of these deployments."""


class World:
    """The mesh, and what is asked of its control API."""

    def __init__(self, mesh: LocalMesh, control: ControlClient, lose: Lose) -> None:
        self.mesh = mesh
        self.control = control
        self.lose = lose

    def apply(self, name: str, service: dict[str, Any], **config: Any) -> None:
        """Deploys Who, and does not wait."""
        target = f"{Who.__module__}:{Who.__qualname__}"
        document = {"name": name, "target": target, "services": {"Who": service}, **config}
        parsed = parse(DeploymentConfig, document, what=name)
        release = Release.of_class(Who)
        made = application(parsed, {"main": release}, instance_types=DISKS)
        self.mesh.running.control.apply(made.document, made.code)

    @contextmanager
    def deployed(self, name: str, service: dict[str, Any], **config: Any) -> Iterator[Deployed]:
        self.apply(name, service, **config)
        found = Deployed(self.mesh, name)
        try:
            yield found
        finally:
            found.close()
            self.control.deployments.delete(name)
            eventually(lambda: not self.control.replicas(), "it ends", PATIENCE)

    def get(self, name: str) -> DeploymentView:
        return self.control.deployments.get(name)

    def until(self, name: str, status: str, revision: int = 0) -> DeploymentView:
        """Waits for a status that a deployment of this revision, or a later one, has."""

        def look() -> DeploymentView | None:
            view = self.get(name)
            return view if view.status == status and view.revision >= revision else None

        return eventually(look, f"{name} is {status}", PATIENCE) or self.get(name)

    def because(self, name: str, reason: str) -> DeploymentView:
        """Waits until that is the reason why a deployment is not further."""
        eventually(lambda: self.get(name).reason == reason, reason, PATIENCE)
        return self.get(name)

    def ready(self, name: str) -> tuple[int, int]:
        """How many replicas are wanted, and how many are ready."""
        (service,) = self.get(name).versions[0].services
        return service.desired, service.ready

    def nodes(self, name: str) -> list[str]:
        """The nodes of the replicas that are ready, in order."""
        replicas = self.control.replicas(name)
        return sorted(each.node for each in replicas if each.phase == "ready")


def pid(deployed: Deployed) -> int:
    reply = deployed.http.post("/who")
    assert reply.status_code == 200, reply.text
    return int(reply.json()["pid"])


def a_deployment_lies_where_it_says(world: World) -> None:
    cases: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
        "fraction": ({"resources": {"gpu": 0.5, "gpu_type": "L4"}}, {}, ["node-a"]),
        "typed": ({"resources": {"gpu": 1, "gpu_type": "A100"}}, {}, ["node-b"]),
        "disk": ({"instance_type": "small"}, {}, ["node-c"]),
        "packed": (
            {"resources": {"cpu": 0.5}, "replicas": 2},
            {"placement": "pack"},
            ["node-c", "node-c"],
        ),
        "apart": (
            {"resources": {"cpu": 0.5}, "replicas": 3},
            {"placement": "strict_spread"},
            list(NODES),
        ),
    }
    try:
        for name, (service, config, _) in cases.items():
            world.apply(name, service, **config)
        for name, (_, _, nodes) in cases.items():
            world.until(name, "running")
            assert world.nodes(name) == nodes, (name, world.nodes(name))
    finally:
        for name in cases:
            world.control.deployments.delete(name)
    eventually(lambda: not world.control.replicas(), "all end", PATIENCE)


def the_controller_is_where_its_addresses_are(world: World) -> None:
    actor = ray.get_actor(CONTROLLER, namespace=NAMESPACE)
    there = ray.get(actor.__ray_call__.remote(lambda _: ray.get_runtime_context().get_node_id()))
    assert there == ray.get_runtime_context().get_node_id()


def what_fits_serves_and_the_rest_says_what_it_lacks(world: World) -> None:
    whole = {"resources": {"gpu": 1, "gpu_type": "L4"}, "replicas": 3}
    with world.deployed("short", whole) as deployed:
        eventually(lambda: world.ready("short") == (3, 2), "two are ready", PATIENCE)
        view = world.because("short", "main: Who: waits for 1 gpu of type L4: node-a 0 of 2 free")
        assert view.status == "deploying"
        eventually(lambda: len({pid(deployed) for _ in range(10)}) == 2, "two serve", PATIENCE)
        world.apply("short", {**whole, "replicas": 2})
        assert world.until("short", "running").reason == ""
    with world.deployed("wrong", {"resources": {"gpu": 1, "gpu_type": "H100"}}):
        world.because(
            "wrong",
            "main: Who: needs 1 gpu of type H100: "
            "head has none, node-a has 2 L4, node-b has 1 A100, node-c has none",
        )


def a_rollout_without_room_says_what_it_waits_for_and_serves_on(world: World) -> None:
    disk = {"resources": {"custom": {"nvme": 1}}}
    with world.deployed("tight", disk) as deployed:
        world.until("tight", "running")
        old = pid(deployed)
        world.apply("tight", disk, envs={"NEXT": "1"})
        world.because("tight", "main: Who: waits for 1 nvme: node-c 0 of 1 free")
        assert pid(deployed) == old
        recreated = {**disk, "deployment_strategy": "Recreate"}
        world.apply("tight", recreated, envs={"NEXT": "1"})
        world.until("tight", "running")
        assert pid(deployed) != old


def a_controlled_rollout_needs_no_room(world: World) -> None:
    disk = {
        "resources": {"custom": {"nvme": 0.2}},
        "replicas": 5,
        "deployment_strategy": "BestEffortControlledRollout",
    }
    with world.deployed("full", disk) as deployed:
        revision = world.until("full", "running").revision
        old = {each.id for each in world.control.replicas("full")}
        with load(lambda: pid(deployed), lambda: int(deployed.grpc.call("who")["pid"])) as running:
            running.wait_for(20)
            world.apply("full", disk, envs={"NEXT": "1"})
            world.until("full", "running", revision + 1)
            running.wait_for(20)
        assert running.failures == []
        new = {each.id for each in world.control.replicas("full") if each.phase == "ready"}
        assert len(new) == 5
        assert not new & old


def a_lost_node_costs_no_call_that_had_not_begun(world: World) -> None:
    """The last: a node less."""
    three = {"resources": {"cpu": 1}, "replicas": 3}
    with world.deployed("lost", three, placement="spread") as deployed:
        world.until("lost", "running")
        assert world.nodes("lost") == list(NODES)

        def held() -> int:
            reply = deployed.http.post("/hold", json={"seconds": 0.05})
            assert reply.status_code == 200, reply.text
            return int(reply.json())

        calls = [held, lambda: pid(deployed), lambda: int(deployed.grpc.call("who")["pid"])]
        with load(*calls) as running:
            running.wait_for(60)
            world.lose("node-b")
            world.until("lost", "unhealthy")
            running.wait_for(60)
            world.until("lost", "running")
            running.wait_for(60)
        assert set(world.nodes("lost")) == {"node-a", "node-c"}
        assert len(world.nodes("lost")) == 3
        # The one that may not be run twice had one call at most there.
        assert len(running.failures) <= 1, running.failures
        events = world.control.deployments.events("lost")
        told = [each.status for each in reversed(events) if each.kind == "status"]
        assert told[-2:] == ["unhealthy", "running"], told
        assert "its node died" in "".join(each.reason for each in events)


SCENARIOS: tuple[Callable[[World], None], ...] = (
    the_controller_is_where_its_addresses_are,
    a_deployment_lies_where_it_says,
    what_fits_serves_and_the_rest_says_what_it_lacks,
    a_rollout_without_room_says_what_it_waits_for_and_serves_on,
    a_controlled_rollout_needs_no_room,
    a_lost_node_costs_no_call_that_had_not_begun,
)
NAMES = [scenario.__name__ for scenario in SCENARIOS]


def outcome(world: World, scenario: Callable[[World], None]) -> str:
    try:
        scenario(world)
        told = "ok"
    except Exception:  # noqa: BLE001  # whatever it is, it is the outcome
        told = traceback.format_exc()
    print(f"{scenario.__name__}: {told}", file=sys.stderr)
    return told


def main() -> None:
    wanted = sys.argv[1:] or NAMES
    place = Place(control_port=free_port("127.0.0.1"))
    with four_nodes(connect) as (session, lose):
        running = RunningMesh(place, session=session)
        mesh = LocalMesh(running)
        try:
            with ControlClient(running.control_url) as control:
                world = World(mesh, control, lose)
                told = {
                    each.__name__: outcome(world, each)
                    for each in SCENARIOS
                    if each.__name__ in wanted
                }
        finally:
            mesh.close()
            running.stop()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
