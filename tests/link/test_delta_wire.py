"""Updates of the routing table on the wire."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given

from mesh.call import CallKind
from mesh.faces.updates import Updates
from mesh.link.delta_wire import GapError, take
from mesh.traffic.snapshot import (
    EMPTY,
    Deployment,
    Endpoint,
    Method,
    Replica,
    Service,
    Snapshot,
    Version,
    WeightedDeployment,
)
from mesh.v1 import routing_pb2
from tests.traffic.histories import histories


def parsed(raw: bytes) -> routing_pb2.Update:
    return routing_pb2.Update.FromString(raw)


def replicas(count: int) -> tuple[Replica, ...]:
    return tuple(
        Replica(
            f"main-0123456789-Classifier-{number:08x}", f"10.0.{number % 256}.17:{40000 + number}"
        )
        for number in range(count)
    )


def deployment(name: str, count: int, docs: bytes = b"", weight: int = 1) -> Deployment:
    methods = {
        f"method_{number}": Method(f"method_{number}", f"/method_{number}", CallKind.UNARY)
        for number in range(20)
    }
    service = Service("Classifier", methods, replicas(count), docs=docs, schema_json=docs)
    return Deployment(name, (Version("id", "main", "Classifier", {service.name: service}, weight),))


def table(number: int, *deployments: Deployment) -> Snapshot:
    endpoints = {d.name: Endpoint(d.name, (WeightedDeployment(d.name, 1),)) for d in deployments}
    return Snapshot(1, number, endpoints, {each.name: each for each in deployments}, "a")


@given(histories(4))
def test_a_watcher_that_takes_each_update_has_the_table(history: list[Snapshot]) -> None:
    updates = Updates()
    mine = take(EMPTY, parsed(updates.update(None, history[0])))
    assert mine == history[0]
    for old, new in pairwise(history):
        mine = take(mine, parsed(updates.update(old, new)))
        assert mine == new


@given(histories(3))
def test_an_update_over_several_changes_is_as_good_as_each_of_them(
    history: list[Snapshot],
) -> None:
    first, _, last = history
    mine = take(EMPTY, parsed(Updates().update(None, first)))
    assert take(mine, parsed(Updates().update(first, last))) == last


@given(histories(3))
def test_a_watcher_of_one_deployment_has_no_other(history: list[Snapshot]) -> None:
    updates = Updates()
    mine, last = EMPTY, None
    for snapshot in history:
        only = updates.only(snapshot, "b")
        mine, last = take(mine, parsed(updates.update(last, only))), only
        assert mine == only
        assert mine.deployments.keys() <= {"b"}
        assert not mine.endpoints
        assert not mine.grants


@given(histories(2))
def test_another_snapshot_than_the_one_at_hand_cannot_be_changed(pair: list[Snapshot]) -> None:
    old, new = pair
    update = parsed(Updates().update(old, new))
    for other in (EMPTY, replace(old, number=new.number), replace(old, epoch=old.epoch + 1)):
        with pytest.raises(GapError):
            take(other, update)


def test_of_another_epoch_the_whole_table_is_told() -> None:
    old, new = table(1, deployment("a", 1)), table(1, deployment("a", 1))
    update = parsed(Updates().update(old, replace(new, epoch=2)))
    assert not update.base
    assert [each.name for each in update.deployments] == ["a"]


def test_one_more_replica_does_not_tell_the_documents_again() -> None:
    docs = bytes(200_000)
    old = table(1, deployment("a", 20, docs), deployment("b", 20, docs))
    new = table(2, deployment("a", 20, docs), deployment("b", 21, docs))
    raw = Updates().update(old, new)
    assert len(raw) < 2000
    mine = take(EMPTY, parsed(Updates().update(None, old)))
    later = take(mine, parsed(raw))
    assert later == new
    assert later.deployments["a"] is mine.deployments["a"]
    before = mine.deployments["b"].versions[0].services["Classifier"]
    after = later.deployments["b"].versions[0].services["Classifier"]
    assert after.docs is before.docs
    assert after.methods is before.methods


def test_a_weight_alone_changes_no_service() -> None:
    old, new = table(1, deployment("a", 2)), table(2, deployment("a", 2, weight=5))
    mine = take(EMPTY, parsed(Updates().update(None, old)))
    later = take(mine, parsed(Updates().update(old, new)))
    before, after = mine.deployments["a"].versions[0], later.deployments["a"].versions[0]
    assert (before.weight, after.weight) == (1, 5)
    assert after.services["Classifier"] is before.services["Classifier"]


def test_what_else_than_replicas_changed_is_told() -> None:
    old, new = table(1, deployment("a", 2, b"old")), table(2, deployment("a", 2, b"new"))
    mine = take(EMPTY, parsed(Updates().update(None, old)))
    assert take(mine, parsed(Updates().update(old, new))) == new


def test_a_service_that_is_said_to_be_known_and_is_not_is_a_gap() -> None:
    update = routing_pb2.Update(epoch=1, number=2)
    version = update.deployments.add(name="a", split_by=routing_pb2.SPLIT_BY_RANDOM).versions.add()
    version.services.add(name="S", is_known=True)
    with pytest.raises(GapError, match="'S'"):
        take(EMPTY, update)


def test_the_whole_table_again_leaves_what_is_as_it_was() -> None:
    old = take(EMPTY, parsed(Updates().update(None, table(1, deployment("a", 1)))))
    again = table(2, deployment("a", 1), deployment("b", 1))
    new = take(old, parsed(Updates().update(None, again)))
    assert new == again
    assert new.deployments["a"] is old.deployments["a"]


def test_watchers_of_one_change_share_its_bytes() -> None:
    updates = Updates()
    old = table(1, deployment("a", 1), deployment("b", 1))
    new = table(2, deployment("a", 2), deployment("b", 1))
    assert updates.update(old, new) is updates.update(old, new)
    assert repr(updates) == "<Updates of 1 parts>"


def test_no_more_is_kept_than_one_table_and_recent_changes() -> None:
    updates = Updates()
    for number in range(1, 3000):
        updates.only(table(number, deployment("a", 1)), "a")
    assert repr(updates) == "<Updates of 1024 parts>"
