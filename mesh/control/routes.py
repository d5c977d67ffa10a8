"""The snapshot that callers should have, put together of parts that rarely change."""

from collections.abc import Iterator, Mapping

from mesh.config import EndpointConfig, parse
from mesh.control.endpoints import endpoint_of_config
from mesh.control.records import EndpointRecord, Intent, State
from mesh.traffic.snapshot import Deployment, Endpoint, Snapshot, WeightedDeployment


class Routes:
    """What callers see of each deployment and endpoint.

    A part that has not changed stays the same object, so that whoever compares two snapshots sees
    at once what differs.
    """

    def __init__(self) -> None:
        self._deployments: dict[str, Deployment] = {}
        self._endpoints: dict[str, tuple[EndpointRecord | None, Endpoint]] = {}

    def __repr__(self) -> str:
        return f"<Routes {len(self._deployments)} deployments, {len(self._endpoints)} endpoints>"

    def put(self, name: str, deployment: Deployment | None) -> None:
        """Makes `deployment` what callers see under its name; None: nothing."""
        if deployment is None:
            self._deployments.pop(name, None)
        elif self._deployments.get(name) != deployment:
            self._deployments[name] = deployment

    def snapshot(self, state: State, epoch: int, last: Snapshot | None) -> Snapshot:
        """The snapshot that follows `last`; `last` itself if nothing has changed."""
        endpoints = dict(self._named(state))
        same = (
            last is not None
            and _is_same(last.deployments, self._deployments)
            and _is_same(last.endpoints, endpoints)
        )
        if same and last is not None:
            return last
        return Snapshot(
            epoch=epoch,
            number=last.number + 1 if last is not None else 1,
            endpoints=endpoints,
            deployments=dict(self._deployments),
            default_endpoint=next(iter(endpoints), ""),
        )

    def _named(self, state: State) -> Iterator[tuple[str, Endpoint]]:
        """Endpoints that users made, and one for each deployment that none of these leads to."""
        reached: set[str] = set()
        for record in state.endpoints.values():
            reached.update(record.config["deployments"])
            yield record.name, self._endpoint(record.name, record)
        for name, deployment in state.deployments.items():
            is_there = deployment.intent is not Intent.DELETE
            if is_there and name not in reached and name not in state.endpoints:
                yield name, self._endpoint(name, None)

    def _endpoint(self, name: str, record: EndpointRecord | None) -> Endpoint:
        kept = self._endpoints.get(name)
        if kept is not None and kept[0] == record:
            return kept[1]
        endpoint = _own(name) if record is None else _of(record)
        self._endpoints[name] = (record, endpoint)
        return endpoint


def _is_same(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Whether both have the same objects, in the same order."""
    return len(one) == len(other) and all(
        a is b for a, b in zip(one.values(), other.values(), strict=True)
    )


def _own(name: str) -> Endpoint:
    return Endpoint(name, (WeightedDeployment(name, 1),))


def _of(record: EndpointRecord) -> Endpoint:
    if record.intent is not Intent.RUN:  # known, and leads nowhere
        return Endpoint(record.name, (), is_terminated=True)
    what = f"endpoint {record.name}"
    config = parse(EndpointConfig, record.config, what=what)
    return endpoint_of_config(record.name, config, record.keys)
