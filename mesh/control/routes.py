"""The snapshot that callers should have, put together of parts that rarely change."""

import logging
from collections.abc import Collection, Iterator, Mapping

from mesh.config import EndpointConfig, parse
from mesh.control.endpoints import endpoint_of_config, within
from mesh.control.records import DeploymentRecord, EndpointRecord, Intent, State
from mesh.errors import ConfigError
from mesh.traffic.snapshot import Deployment, Endpoint, Grant, Snapshot, WeightedDeployment

_log = logging.getLogger(__name__)


class Routes:
    """What callers see of each deployment and endpoint.

    A part that has not changed stays the same object, and so does a whole mapping of them: whoever
    compares two snapshots sees at once what differs.
    """

    def __init__(self) -> None:
        self._deployments: dict[str, Deployment] = {}
        self._shown: Mapping[str, Deployment] | None = None
        # Endpoints that users made, with their records.
        self._records: Mapping[str, EndpointRecord] = {}
        self._made: dict[str, tuple[EndpointRecord, Endpoint]] = {}
        # The same as far as they lead to deployments of their own organizations.
        self._within: dict[str, Endpoint] = {}
        self._owners: dict[str, str] = {}
        # Endpoints that deployments have of themselves.
        self._own: dict[str, Endpoint] = {}
        self._endpoints: Mapping[str, Endpoint] = {}
        self._default = ""
        self._grants: Mapping[bytes, Grant] = {}

    def __repr__(self) -> str:
        return f"<Routes {len(self._deployments)} deployments, {len(self._endpoints)} endpoints>"

    def put(self, name: str, deployment: Deployment | None) -> None:
        """Makes `deployment` what callers see under its name; None: nothing."""
        if self._deployments.get(name) == deployment:
            return
        if deployment is None:
            del self._deployments[name]
        else:
            self._deployments[name] = deployment
        self._shown = None

    def grant(self, grants: Mapping[bytes, Grant]) -> None:
        """Makes `grants` what opens protected deployments, by the digests of tokens."""
        if grants != self._grants:
            self._grants = dict(grants)

    def snapshot(self, state: State, epoch: int, last: Snapshot | None) -> Snapshot:
        """The snapshot that follows `last`; `last` itself if nothing has changed."""
        self._follow(state)
        if self._shown is None:
            self._shown = dict(self._deployments)
        if (
            last is not None
            and last.deployments is self._shown
            and last.endpoints is self._endpoints
            and last.grants is self._grants
        ):
            return last
        return Snapshot(
            epoch=epoch,
            number=last.number + 1 if last is not None else 1,
            endpoints=self._endpoints,
            deployments=self._shown,
            default_endpoint=self._default,
            grants=self._grants,
        )

    def _follow(self, state: State) -> None:
        """Has endpoints be those that users made, and one of each deployment under its name."""
        is_same = state.endpoints is self._records
        if not is_same:
            made = dict(self._remade(state.endpoints))
            is_same = _is_same(self._made, made)
            self._records, self._made = state.endpoints, made
        own = {
            name: self._own.get(name) or Endpoint(name, (WeightedDeployment(name, 1),))
            for name, record in state.deployments.items()
            if record.intent is not Intent.DELETE and not _is_replaced(record, state)
        }
        owners = {name: record.organization for name, record in state.deployments.items()}
        if not is_same or owners != self._owners:
            self._owners = owners
            bounded = dict(self._bounded())
            is_same = is_same and _is_same(self._within, bounded)
            self._within = bounded
        if is_same and list(own) == list(self._own):
            return
        self._own = own
        self._endpoints = self._within | own
        self._default = _default(state, own)

    def _bounded(self) -> Iterator[tuple[str, Endpoint]]:
        for name, (record, made) in self._made.items():
            found = within(made, record.organization, self._owners)
            before = self._within.get(name)
            yield name, before if before is not None and before == found else found

    def _remade(
        self, records: Mapping[str, EndpointRecord]
    ) -> Iterator[tuple[str, tuple[EndpointRecord, Endpoint]]]:
        for name, record in records.items():
            kept = self._made.get(name)
            is_kept = kept is not None and (kept[0] is record or kept[0] == record)
            yield name, kept if kept is not None and is_kept else (record, _of(record))


def _is_replaced(record: DeploymentRecord, state: State) -> bool:
    """Whether its organization made an endpoint of its name; those of others change nothing."""
    made = state.endpoints.get(record.name)
    return made is not None and made.organization == record.organization


def _default(state: State, own: Collection[str]) -> str:
    """The endpoint of requests that name none: the one that is set so, else the oldest.

    So one more endpoint never takes these requests away.
    """
    made = [record for name, record in state.endpoints.items() if name not in own]
    said = [record for record in made if record.config.get("default")]
    if said:
        return max(said, key=lambda record: record.updated_at).name
    records: list[EndpointRecord | DeploymentRecord] = [
        *made,
        *(state.deployments[name] for name in own),
    ]
    return min(records, key=lambda record: record.created_at).name if records else ""


def _is_same(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Whether both have the same objects, in the same order."""
    return len(one) == len(other) and all(
        a is b for a, b in zip(one.values(), other.values(), strict=True)
    )


def _of(record: EndpointRecord) -> Endpoint:
    if record.intent is not Intent.RUN:  # known, and leads nowhere
        return Endpoint(record.name, (), is_terminated=True)
    try:
        config = parse(EndpointConfig, record.config, what=f"endpoint {record.name}")
    except ConfigError as error:
        # Of another release of the mesh. The others go on.
        _log.error("requests to it are refused: %s", error.message)
        return Endpoint(record.name, ())
    return endpoint_of_config(record.name, config, record.keys)
