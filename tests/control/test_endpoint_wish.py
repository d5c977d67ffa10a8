"""What a client of the cloud API says of an endpoint, and what it comes to."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from mesh.config import EndpointConfig
from mesh.control.endpoint_wish import EndpointWish, UpstreamWish, settled, status_word
from mesh.control.records import Intent
from mesh.errors import ConfigError, InvalidArgument

KNOWN = {"uid-a": "a", "uid-b": "b", "uid-c": "c", "a": "a", "b": "b", "c": "c"}
BEFORE = EndpointConfig.model_validate(
    {
        "deployments": {"a": 80, "b": 20},
        "load_balance": "overflow",
        "overflow_scale_out_delay": 5,
        "upstreams": [{"url": "https://x.example", "weight": 7, "model": "m", "api_key": "k3y"}],
        "session": {"header": "x-user"},
        "default": True,
        "protocol": "openai",
    }
)


def came_to(before: EndpointConfig | None = None, **said: Any) -> EndpointConfig:
    return settled("front", EndpointWish(**said), before, KNOWN)


def refusal(before: EndpointConfig | None = None, **said: Any) -> str:
    with pytest.raises((InvalidArgument, ConfigError)) as failed:
        came_to(before, **said)
    return failed.value.message


def test_deployments_are_named_by_uid_or_name_and_keep_their_rank() -> None:
    config = came_to(deployments=["uid-b", "a"], weights={"b": 3, "uid-a": 1})
    assert list(config.deployments.items()) == [("b", 3), ("a", 1)]
    assert config.load_balance == "weighted"
    assert came_to(deployments=["a", "uid-b"]).deployments == {"a": 1, "b": 1}


def test_what_is_not_said_stays() -> None:
    assert came_to(BEFORE) == BEFORE.model_copy(update={"upstreams": came_to(BEFORE).upstreams})
    changed = came_to(BEFORE, load_balance="capacity", domain="example.com", delay=9)
    assert (changed.load_balance, changed.domain) == ("capacity", "example.com")
    assert changed.overflow_scale_out_delay == 9
    assert (changed.session, changed.default, changed.protocol) == (
        BEFORE.session, True, "openai",
    )  # fmt: skip
    assert changed.deployments == BEFORE.deployments


def test_a_deployment_that_stays_keeps_its_weight() -> None:
    assert came_to(BEFORE, deployments=["c", "a"]).deployments == {"c": 1, "a": 80}
    assert came_to(BEFORE, weights={"a": 1, "b": 2}).deployments == {"a": 1, "b": 2}


def test_upstreams_without_a_key_say_nothing_of_it_and_keep_their_weight() -> None:
    (kept,) = came_to(BEFORE, upstreams=[UpstreamWish("https://x.example", "n")]).upstreams
    assert (kept.weight, kept.model) == (7, "n")
    assert "api_key" not in kept.model_fields_set
    (keyed,) = came_to(BEFORE, upstreams=[UpstreamWish("https://y.example", "", "new")]).upstreams
    assert (keyed.weight, keyed.api_key.get_secret_value()) == (1, "new")
    (unsaid,) = came_to(BEFORE).upstreams
    assert "api_key" not in unsaid.model_fields_set
    assert "new" not in repr(UpstreamWish("https://y.example", "", "new"))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"load_balance": "fair"}, "'fair' is none of weighted, overflow, capacity"),
        ({"deployments": ["d"]}, "deployment_ids: there is no deployment 'd'"),
        ({"deployments": ["a"], "weights": {"d": 1}}, "deployment_weights: there is no deployment"),
        ({"deployments": ["a"], "weights": {"b": 1}}, "'b' is not among deployment_ids"),
        ({"deployments": ["a", "b"], "weights": {"b": 1}}, "say the weight of 'a' too"),
        ({"deployments": []}, "an endpoint needs one at least"),
        ({"upstreams": [UpstreamWish("ftp://x")]}, "upstreams.0.url"),
        ({"upstreams": [UpstreamWish("https://u:p@x")]}, "a key goes into api_key"),
        ({"deployments": ["a"], "protocol": "x" * 300}, "protocol"),
    ],
)
def test_what_makes_no_endpoint_is_named(said: dict[str, Any], told: str) -> None:
    assert told in refusal(**said)


ids = st.sampled_from([*KNOWN, "d"])


@given(
    st.none() | st.just(BEFORE),
    st.none() | st.lists(ids, max_size=3),
    st.none() | st.dictionaries(ids, st.integers(0, 9), max_size=3),
)
def test_whatever_is_said_of_deployments_is_followed_or_refused(
    before: EndpointConfig | None, deployments: list[str] | None, weights: dict[str, int] | None
) -> None:
    try:
        config = came_to(before, deployments=deployments, weights=weights)
    except (InvalidArgument, ConfigError):
        return
    if deployments is not None:
        assert list(config.deployments) == list(dict.fromkeys(KNOWN[each] for each in deployments))
    for said, weight in (weights or {}).items():
        if sum(KNOWN[each] == KNOWN[said] for each in weights or ()) == 1:
            assert config.deployments[KNOWN[said]] == weight


@pytest.mark.parametrize(
    ("intent", "outside", "statuses", "word"),
    [
        (Intent.TERMINATE, True, ["running"], "terminated"),
        (Intent.RUN, False, ["failed", "running"], "running"),
        (Intent.RUN, False, ["scaled-to-zero"], "running"),
        (Intent.RUN, False, ["deploying", "failed"], "deploying"),
        (Intent.RUN, False, ["terminated"], "unhealthy"),
        (Intent.RUN, False, [], "unhealthy"),
        (Intent.RUN, True, [], "running"),
    ],
)
def test_the_status_is_that_of_the_best_that_it_leads_to(
    intent: Intent, outside: bool, statuses: list[str], word: str
) -> None:
    assert status_word(intent, leads_outside=outside, statuses=statuses) == word
