"""What a user asks for of an endpoint → what is written. Pure, as `changes` is."""

from dataclasses import replace
from typing import NamedTuple

from mesh.config import EndpointConfig
from mesh.control.records import (
    DEFAULT_ORGANIZATION,
    Born,
    Change,
    EndpointRecord,
    Event,
    Intent,
    State,
)
from mesh.errors import AlreadyExists, ConfigError, NotFound


class Moment(NamedTuple):
    """When a change is made, in seconds since the Unix epoch, a uid that nobody has, and by whom.

    `by` is the name of a user (empty: nobody known), `organization` that of whose the new is;
    a new deployment is as old as `born` says, if there is one, and has its uid.
    """

    now: float
    uid: str
    by: str = ""
    organization: str = DEFAULT_ORGANIZATION
    born: Born | None = None


def check_owner(what: str, organization: str, at: Moment) -> None:
    """Raises AlreadyExists if `what` is of another organization than whoever changes it."""
    if organization != at.organization:
        raise AlreadyExists(f"another organization has {what}")


def check_name(state: State, name: str, at: Moment) -> None:
    """Raises AlreadyExists if another organization has a deployment or endpoint of this name.

    Requests find both under their names.
    """
    deployment, endpoint = state.deployments.get(name), state.endpoints.get(name)
    if deployment is not None and deployment.intent is not Intent.DELETE:
        check_owner(f"a deployment {name!r}", deployment.organization, at)
    if endpoint is not None:
        check_owner(f"an endpoint {name!r}", endpoint.organization, at)


def found_endpoint(state: State, name: str) -> EndpointRecord:
    """The endpoint of this name. Raises NotFound."""
    record = state.endpoints.get(name)
    if record is None:
        raise NotFound(f"there is no endpoint {name!r}")
    return record


def with_endpoint(state: State, name: str, config: EndpointConfig, at: Moment) -> Change:
    """Makes an endpoint what `config` says. The same again changes nothing.

    Raises ConfigError if it names a deployment that there is not, and AlreadyExists as
    `endpoint_record`.
    """
    record = endpoint_record(state, name, config, at)
    for unknown in sorted(config.named_deployments()):
        found = state.deployments.get(unknown)
        # That of another organization is not there for this one.
        is_theirs = found is not None and found.organization == at.organization
        if found is None or not is_theirs or found.intent is Intent.DELETE:
            raise ConfigError(f"endpoint {name}: there is no deployment {unknown!r}")
    if record == state.endpoints.get(name):
        return Change()
    told = "updated" if name in state.endpoints else "created"
    return Change(endpoints=(record,), events=(event_of(record, told, at),))


def event_of(record: EndpointRecord, reason: str, at: Moment) -> Event:
    """What tells that somebody changed an endpoint."""
    return Event(
        at.now,
        "change",
        endpoint=record.name,
        reason=reason,
        by=at.by,
        organization=record.organization,
    )


def endpoint_record(state: State, name: str, config: EndpointConfig, at: Moment) -> EndpointRecord:
    """The endpoint that `config` makes; the one that is kept, if it is the same.

    Raises AlreadyExists if another organization has one of this name; for a new one also if it
    has a deployment of this name.
    """
    before = state.endpoints.get(name)
    if before is None:
        check_name(state, name, at)
    else:
        check_owner(f"an endpoint {name!r}", before.organization, at)
    document = config.model_dump(mode="json", exclude={"upstreams": {"__all__": {"api_key"}}})
    keys = _keys(before, config)
    if before is None:
        return EndpointRecord(
            name,
            at.uid,
            at.now,
            at.now,
            document,
            keys=keys,
            creator=at.by,
            organization=at.organization,
        )
    if (before.config, before.keys) == (document, keys):
        return before
    return replace(before, config=document, keys=keys, updated_at=at.now)


def _keys(before: EndpointRecord | None, config: EndpointConfig) -> dict[int, str]:
    """The keys of upstreams by place; one that is not given stays what it was at its address."""
    old = {}
    if before is not None:
        addresses = [upstream["url"] for upstream in before.config["upstreams"]]
        old = {addresses[place]: key for place, key in before.keys.items()}
    keys = {}
    for place, upstream in enumerate(config.upstreams):
        given = upstream.api_key.get_secret_value()
        key = given if "api_key" in upstream.model_fields_set else old.get(upstream.url, "")
        if key:
            keys[place] = key
    return keys


def without_endpoint(state: State, name: str, at: Moment) -> Change:
    """Deletes an endpoint. Raises NotFound."""
    event = event_of(found_endpoint(state, name), "deleted", at)
    return Change(deleted_endpoints=(name,), events=(event,))


def intended_endpoint(state: State, name: str, intent: Intent, at: Moment) -> Change:
    """Starts or terminates an endpoint; the same again changes nothing. Raises NotFound."""
    record = found_endpoint(state, name)
    if record.intent is intent:
        return Change()
    told = "started" if intent is Intent.RUN else "terminated"
    event = event_of(record, told, at)
    return Change(endpoints=(replace(record, intent=intent, updated_at=at.now),), events=(event,))
