"""What a user asks for of an endpoint, and what is kept of it."""

from mesh.config import EndpointConfig
from mesh.control.changes import after
from mesh.control.endpoint_changes import (
    Moment,
    intended_endpoint,
    with_endpoint,
    without_endpoint,
)
from mesh.control.records import EndpointRecord, Intent, State

AT = Moment(1.0, "uid")
URL = "https://api.example/v1"


def made(record: EndpointRecord | None, *upstreams: dict[str, str]) -> EndpointRecord:
    """The record after upstreams were set over it."""
    state = State(endpoints={} if record is None else {record.name: record})
    config = EndpointConfig.model_validate({"upstreams": upstreams})
    change = with_endpoint(state, "out", config, AT)
    return change.endpoints[0] if change.endpoints else state.endpoints["out"]


def test_keys_are_kept_apart_from_the_settings() -> None:
    record = made(None, {"url": URL, "api_key": "k3y"}, {"url": "https://b.example"})
    assert record.keys == {0: "k3y"}
    assert "k3y" not in str(record.config)
    assert "k3y" not in repr(record)


def test_a_key_that_is_not_given_stays_with_its_address_wherever_that_stands() -> None:
    first = made(None, {"url": URL, "api_key": "k3y"}, {"url": "https://b.example"})
    moved = made(first, {"url": "https://b.example"}, {"url": URL})
    assert moved.keys == {1: "k3y"}
    assert made(moved, {"url": "https://b.example"}, {"url": URL, "api_key": ""}).keys == {}


def test_events_say_who_asked_for_each_change() -> None:
    ann = Moment(1.0, "uid", "ann")
    config = EndpointConfig.model_validate({"upstreams": [{"url": URL}]})
    state, told = State(), []
    for change in (
        lambda state: with_endpoint(state, "out", config, ann),
        lambda state: intended_endpoint(state, "out", Intent.TERMINATE, ann),
        lambda state: without_endpoint(state, "out", ann),
    ):
        made = change(state)
        state = after(state, made)
        told += [(each.endpoint, each.reason, each.by) for each in made.events]
    assert told == [("out", why, "ann") for why in ("created", "terminated", "deleted")]
