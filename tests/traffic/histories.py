"""Routing tables that follow one another, as a controller would publish them, for hypothesis."""

from dataclasses import replace

from hypothesis import strategies as st

from mesh.call import CallKind
from mesh.edge import PLAIN, Edge
from mesh.traffic.snapshot import (
    Deployment,
    Endpoint,
    Grant,
    Method,
    Replica,
    Service,
    Snapshot,
    SplitBy,
    Version,
    WeightedDeployment,
)

# Few names, so that things of one table are there in the next.
names = st.sampled_from("abc")
weights = st.integers(0, 3)
replicas = st.lists(st.builds(Replica, names, names), max_size=3, unique=True).map(tuple)
methods = st.lists(names, max_size=2).map(
    lambda some: {name: Method(name, f"/{name}", CallKind.UNARY, rpc=name) for name in some}
)
services = st.builds(
    Service,
    names,
    methods,
    replicas,
    st.sampled_from([None, 1.0]),
    docs=st.sampled_from([b"", b"docs"]),
    rpc_service=st.sampled_from(["", "v1.A", "v1.B"]),
    edge=st.sampled_from([PLAIN, Edge(prefix="/v1")]),
)
versions = st.builds(
    Version,
    names,
    names,
    names,
    st.lists(services, max_size=2).map(lambda some: {service.name: service for service in some}),
    weights,
)
versions_of_one = st.lists(versions, max_size=3).map(tuple)
deployments = st.builds(
    Deployment,
    names,
    versions_of_one,
    st.sampled_from(SplitBy),
    names,
    protected=st.booleans(),
    uid=names,
)
shares = st.lists(st.builds(WeightedDeployment, names, weights), max_size=2).map(tuple)
endpoints = st.builds(Endpoint, names, shares)
_endpoints = st.lists(endpoints, max_size=3).map(lambda some: {each.name: each for each in some})
_deployments = st.lists(deployments, max_size=3).map(
    lambda some: {each.name: each for each in some}
)
digests = st.sampled_from([bytes([number]) * 32 for number in range(3)])
some_grants = st.builds(
    Grant,
    st.sampled_from(["", "org"]),
    st.booleans(),
    st.frozensets(names, max_size=2),
    st.sampled_from([1.5, float("inf")]),
)
_grants = st.dictionaries(digests, some_grants, max_size=3)


@st.composite
def _later_version(draw: st.DrawFn, version: Version) -> Version:
    """The same release with other replicas, another name or weight; or another release."""
    found = {
        name: draw(st.just(service) | st.builds(replace, st.just(service), replicas=replicas))
        for name, service in version.services.items()
    }
    later = replace(version, name=draw(names), weight=draw(weights), services=found)
    return draw(st.sampled_from([version, later]) | versions)


@st.composite
def _later(draw: st.DrawFn, snapshot: Snapshot) -> Snapshot:
    deployments = dict(draw(_deployments))
    for name, deployment in snapshot.deployments.items():
        match draw(st.sampled_from(["same", "changed", "another"])):
            case "same":
                deployments[name] = deployment
            case "changed":
                later = tuple(draw(_later_version(each)) for each in deployment.versions)
                deployments[name] = replace(deployment, versions=later)
    kept = {name: each for name, each in snapshot.endpoints.items() if draw(st.booleans())}
    return Snapshot(
        snapshot.epoch,
        snapshot.number + draw(st.integers(1, 3)),
        {**draw(_endpoints), **kept},
        deployments,
        draw(names),
        draw(st.just(snapshot.grants) | _grants),
    )


@st.composite
def histories(draw: st.DrawFn, length: int) -> list[Snapshot]:
    """So many snapshots of one epoch, each newer than the one before."""
    found = [Snapshot(7, 1, draw(_endpoints), draw(_deployments), draw(names), draw(_grants))]
    while len(found) < length:
        found.append(draw(_later(found[-1])))
    return found
