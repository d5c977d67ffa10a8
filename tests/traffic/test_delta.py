"""What became different between two routing tables."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given

from mesh.traffic.delta import applied, difference, lean
from mesh.traffic.snapshot import EMPTY, Deployment, Endpoint, Replica, Service, Snapshot, Version
from tests.traffic.histories import histories


def deployment(name: str, *replicas: str, docs: bytes = b"docs") -> Deployment:
    service = Service("S", replicas=tuple(Replica(each, each) for each in replicas), docs=docs)
    return Deployment(name, (Version("1", "main", "S", {"S": service}, 1),))


def table(*deployments: Deployment, number: int = 1) -> Snapshot:
    endpoints = {each.name: Endpoint(each.name, ()) for each in deployments}
    return Snapshot(1, number, endpoints, {each.name: each for each in deployments}, "a")


@given(histories(2))
def test_a_snapshot_with_the_difference_in_it_is_the_other_one(pair: list[Snapshot]) -> None:
    old, new = pair
    assert applied(old, difference(old, new)) == new
    assert applied(EMPTY, difference(EMPTY, new)) == new


@given(histories(4))
def test_differences_one_after_another_come_to_the_same_as_one_over_all(
    history: list[Snapshot],
) -> None:
    table = first = history[0]
    for old, new in pairwise(history):
        table = applied(table, difference(old, new))
    assert table == applied(first, difference(first, history[-1]))


@given(histories(2))
def test_a_difference_names_nothing_that_stayed(pair: list[Snapshot]) -> None:
    old, new = pair
    delta = difference(old, new)
    for name, changed in delta.deployments.items():
        assert old.deployments.get(name) != changed
    for name, moved in delta.endpoints.items():
        assert old.endpoints.get(name) != moved
    for digest, grant in delta.grants.items():
        assert old.grants.get(digest) != grant
    assert set(delta.gone_grants) == old.grants.keys() - new.grants.keys()
    assert set(delta.gone_deployments) == old.deployments.keys() - new.deployments.keys()
    assert set(delta.gone_endpoints) == old.endpoints.keys() - new.endpoints.keys()


def test_what_did_not_change_stays_the_same_object() -> None:
    old = table(deployment("a", "1"), deployment("b", "2"))
    equal = table(deployment("a", "1"), deployment("b", "2", "3"), number=2)
    new = applied(old, difference(old, equal))
    assert new == equal
    assert new.deployments["a"] is old.deployments["a"]
    assert new.deployments["b"] is equal.deployments["b"]
    assert new.endpoints is old.endpoints


def test_an_object_that_stayed_is_not_looked_into() -> None:
    class Sealed(Deployment):
        def __eq__(self, other: object) -> bool:
            raise AssertionError("nobody needs to know")

        __hash__ = None  # type: ignore[assignment]  # as of any class with equality

    sealed = Sealed("a", ())
    old = Snapshot(1, 1, {}, {"a": sealed})
    new = replace(old, number=2, deployments={"a": sealed})
    assert not difference(old, new).deployments


def test_a_lean_deployment_has_what_calls_need_and_no_documents() -> None:
    full = replace(
        deployment("a", "1", "2", docs=b"long"), protected=True, uid="u", organization="o"
    )
    found = lean(full)
    assert found == deployment("a", "1", "2", docs=b"")
    assert full.versions[0].services["S"].docs == b"long"
