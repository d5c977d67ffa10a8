"""What a gateway knows by endpoints and paths, brought up to date by what each snapshot changes."""

from dataclasses import replace

from hypothesis import given

from gateway.affected import Affected
from gateway.forward import Request
from gateway.fronts import Fronts
from gateway.grpc_typed import TypedRpcs
from mesh.call import NO_TRACE
from mesh.traffic.snapshot import EMPTY, Deployment, Endpoint, Rule, Snapshot, WeightedDeployment
from tests.link.replicas import Rig
from tests.traffic.histories import histories

PATHS = [f"/v1.{service}/{rpc}" for service in "AB" for rpc in "abc"]


def table(number: int, leads: dict[str, str], *deployments: str) -> Snapshot:
    endpoints = {
        name: Endpoint(name, (WeightedDeployment(deployment, 1),))
        for name, deployment in leads.items()
    }
    return Snapshot(1, number, endpoints, {name: Deployment(name, ()) for name in deployments})


def test_those_are_affected_that_changed_or_lead_to_what_changed() -> None:
    affected = Affected()
    first = table(1, {"a": "one", "b": "one", "c": "two"}, "one", "two")
    assert affected.by(first) == {"a", "b", "c"}
    assert affected.by(replace(first, number=2)) == set()
    changed = {**first.deployments, "two": Deployment("two", (), spills=False)}
    assert affected.by(replace(first, number=3, deployments=changed)) == {"c"}
    moved = table(4, {"a": "two", "b": "one", "c": "two"}, "one")
    assert affected.by(moved) == {"a", "c"}
    assert affected.by(table(5, {"a": "two", "b": "one"}, "one", "two")) == {"a", "c"}
    assert affected.by(EMPTY) == {"a", "b"}
    assert repr(affected) == "<Affected snapshot 0, 0 deployments>"


def test_an_endpoint_is_affected_by_what_only_a_rule_of_it_leads_to() -> None:
    affected = Affected()
    first = table(1, {"a": "one"}, "one", "two")
    ruled = replace(first.endpoints["a"], rules=(Rule((), "two"),))
    first = replace(first, endpoints={"a": ruled})
    affected.by(first)
    changed = {**first.deployments, "two": Deployment("two", (), spills=False)}
    assert affected.by(replace(first, number=2, deployments=changed)) == {"a"}


@given(histories(4))
def test_rpcs_are_found_as_if_the_snapshot_was_the_first(history: list[Snapshot]) -> None:
    rpcs = TypedRpcs()
    for snapshot in history:
        for path in PATHS:
            ours, fresh = rpcs.find(snapshot, path), TypedRpcs().find(snapshot, path)
            assert (ours and ours.endpoint) == (fresh and fresh.endpoint)


@given(histories(4))
def test_fronts_are_those_of_the_snapshot_as_if_it_was_the_first(history: list[Snapshot]) -> None:
    dispatcher = Rig().dispatcher
    fronts = Fronts(dispatcher)
    for snapshot in history:
        dispatcher.snapshot = snapshot
        for name in "abc":
            request = Request("/", "", {b"x-mesh-endpoint": name.encode()}, (), NO_TRACE, "r")
            assert fronts.of(request) == Fronts(dispatcher).of(request)
