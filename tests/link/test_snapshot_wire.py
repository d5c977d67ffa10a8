import re
from collections.abc import Mapping
from typing import TypeVar

import pytest
from hypothesis import given, strategies as st

from mesh.call import CallKind
from mesh.edge import PLAIN, Cors, Dialect, Edge
from mesh.errors import Internal
from mesh.faces.updates import Updates
from mesh.link.delta_wire import take
from mesh.link.endpoint_wire import endpoint_from_proto
from mesh.link.snapshot_wire import deployment_from_proto
from mesh.traffic.snapshot import (
    EMPTY,
    Deployment,
    Endpoint,
    Grant,
    HeaderMatch,
    LoadBalance,
    MatchKind,
    Method,
    Mirror,
    Replica,
    Rule,
    Service,
    Session,
    Snapshot,
    SplitBy,
    Upstream,
    Version,
    WeightedDeployment,
)
from mesh.v1 import routing_pb2

T = TypeVar("T", Endpoint, Deployment, Service, Method)


def by_name(things: st.SearchStrategy[T]) -> st.SearchStrategy[Mapping[str, T]]:
    """A few of `things`, each under its own name."""
    return st.lists(things, max_size=3).map(lambda some: {thing.name: thing for thing in some})


def few(things: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(things, max_size=3).map(tuple)


# Protobuf text is Unicode without surrogates.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
uint32 = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1)
# Whole nanoseconds are what a timeout can say.
timeouts = st.none() | st.integers(0, 10**15).map(lambda nanoseconds: nanoseconds / 1e9)

methods = st.builds(Method, text, text, st.sampled_from(CallKind), st.booleans(), text)
texts = st.lists(text, max_size=3).map(tuple)
cors = st.builds(Cors, texts, text, texts, texts, st.booleans(), texts, st.integers(0, 2**31 - 1))
edges = st.just(PLAIN) | st.builds(
    Edge,
    st.sampled_from(Dialect),
    text,
    st.none() | cors,
    text,
    st.lists(st.floats(0, 1e9), max_size=3).map(tuple),
    *[st.booleans()] * 3,
)
services = st.builds(
    Service,
    text,
    by_name(methods),
    few(st.builds(Replica, text, text)),
    timeouts,
    uint32,
    uint64,
    uint32,
    uint32,
    st.sampled_from([0.0, 0.25, 60.0]),
    schema_json=st.binary(max_size=8),
    docs=st.binary(max_size=8),
    models=st.binary(max_size=8),
    rpc_service=text,
    descriptors=st.binary(max_size=8),
    edge=edges,
)
versions = st.builds(Version, text, text, text, by_name(services), uint32, uint32)
deployments = st.builds(
    Deployment,
    text,
    few(versions),
    st.sampled_from(SplitBy),
    text,
    st.booleans(),
    st.booleans(),
    text,
    text,
)
grants = st.dictionaries(
    st.binary(min_size=32, max_size=32),
    st.builds(
        Grant,
        text,
        st.booleans(),
        st.frozensets(text, max_size=3),
        st.floats(0, 1e12) | st.just(float("inf")),
    ),
    max_size=3,
)
percents = st.integers(0, 100).map(float)
kinds = st.sampled_from([MatchKind.EXACT, MatchKind.PREFIX])
matches = (
    st.builds(HeaderMatch, text, kinds, text)
    | st.builds(HeaderMatch, text, st.sampled_from([MatchKind.PRESENT, MatchKind.ABSENT]))
    | st.builds(HeaderMatch, text, st.just(MatchKind.REGEX), text.map(re.escape))
)
endpoints = st.builds(
    Endpoint,
    text,
    few(st.builds(WeightedDeployment, text, uint32)),
    st.sampled_from(LoadBalance),
    st.sampled_from([0.0, 0.25, 60.0]),
    few(st.builds(Upstream, text, text, uint32, text, text)),
    st.none() | st.builds(Mirror, text, percents),
    few(st.builds(Rule, few(matches), text, text)),
    st.none() | st.builds(Session, text, text, uint32),
)
snapshots = st.builds(
    Snapshot, uint64, uint64, by_name(endpoints), by_name(deployments), text, grants
)


def crossed(snapshot: Snapshot) -> Snapshot:
    raw = Updates().update(None, snapshot)
    return take(EMPTY, routing_pb2.Update.FromString(raw))


@given(snapshots)
def test_a_snapshot_crosses_the_wire_unchanged(snapshot: Snapshot) -> None:
    assert crossed(snapshot) == snapshot


def test_an_empty_message_is_the_empty_snapshot() -> None:
    assert take(EMPTY, routing_pb2.Update()) == EMPTY


def test_no_timeout_is_not_a_timeout_of_zero() -> None:
    for timeout in (None, 0.0, 0.25):
        version = Version("1", "main", "S", {"S": Service("S", timeout=timeout)}, 1)
        snapshot = Snapshot(deployments={"d": Deployment("d", (version,))})
        found = crossed(snapshot).deployments["d"].versions[0]
        assert found.services["S"].timeout == timeout


@pytest.mark.parametrize("split", [0, 99])
def test_a_rule_that_is_not_known_is_an_error_that_names_the_deployment(split: int) -> None:
    proto = routing_pb2.Deployment(name="digits")
    proto.split_by = split  # type: ignore[assignment]  # the enum is open on the wire
    with pytest.raises(Internal, match="'digits'"):
        deployment_from_proto(proto)


@pytest.mark.parametrize("kind", [0, 99])
def test_a_kind_of_call_that_is_not_known_is_an_error_that_names_the_method(kind: int) -> None:
    proto = routing_pb2.Deployment(name="d", split_by=routing_pb2.SPLIT_BY_RANDOM)
    version = proto.versions.add()
    version.services.add(name="S").methods.add(name="classify").kind = kind
    with pytest.raises(Internal, match="'classify'"):
        deployment_from_proto(proto)


def test_a_load_balance_that_is_not_known_is_an_error_that_names_the_endpoint() -> None:
    proto = routing_pb2.Endpoint(name="shop")
    # Numbers that a newer controller may send are kept by protobuf.
    proto.load_balance = 99  # type: ignore[assignment]  # as said
    with pytest.raises(Internal, match="'shop'"):
        endpoint_from_proto(proto)


@pytest.mark.parametrize("regex", ["(", None])
def test_a_rule_that_cannot_be_read_is_an_error_that_names_the_endpoint(regex: str | None) -> None:
    proto = routing_pb2.Endpoint(name="shop")
    proto.rules.add().headers.add(name="x-user", regex=regex)
    with pytest.raises(Internal, match="'shop'"):
        endpoint_from_proto(proto)


def test_the_key_of_an_upstream_is_not_in_what_is_logged_of_it() -> None:
    assert "secret" not in repr(Upstream("up", "http://up", api_key="secret"))
